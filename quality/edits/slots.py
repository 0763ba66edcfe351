"""Generated meanings of a template's variables: each slot makes a Value, and changes one a little into another.

The kind of a change is the variable's, unless the unit is what changed. All chance comes from the given generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from quality.edits import values
from quality.edits.values import Unit, Value
from quality.edits.words import names

YEAR = 12 * values.DAYS_OF_A_MONTH
DAY = 24 * 60
SUMS = (5, 10, 15, 20, 25, 30, 50, 75, 100, 150, 200, 250, 500, 1000, 1200)


@dataclass(frozen=True)
class Slot:
    """`change` gives another value, and the kind of the change where the variable's own does not say it ("" otherwise)."""

    make: Callable[[Random], Value]
    change: Callable[[Value, Random], tuple[str, Value]]


def _range(low: int, high: int, tell: Callable[[int], Value]) -> Slot:
    """One number between low and high."""
    return Slot(
        lambda chance: tell(chance.randint(low, high)),
        lambda value, chance: ("", tell(_near(value.number, chance, low, high))),
    )


def _near(number: int, chance: Random, low: int, high: int) -> int:
    """Another number in the range: one more or less, a digit changed, or digits swapped. Never the same."""
    digits = str(number)
    place = chance.randrange(len(digits))
    ways = [number + 1, number - 1, number * 2, number * 10, number // 10, chance.randint(low, high)]
    ways.append(int(digits[:place] + chance.choice("123456789") + digits[place + 1 :]))
    if len(digits) > 1:
        ways.append(int(digits[1] + digits[0] + digits[2:]))
    fitting = [way for way in ways if low <= way <= high and way != number]
    return chance.choice(fitting) if fitting else (number + 1 if number < high else number - 1)


def _plain(pattern: Callable[[int], str]) -> Callable[[int], Value]:
    return lambda number: Value((number,), (pattern(number),))


def _shifted(make: Callable[[Random], int], tell: Callable[[int], Value], steps: Sequence[int], whole: int) -> Slot:
    """A point on a circle, such as a day's hours; another one is some steps away."""
    return Slot(
        lambda chance: tell(make(chance)),
        lambda value, chance: ("", tell((value.number + chance.choice(steps)) % whole)),
    )


def _measured(units: Sequence[Unit], amounts: Sequence[int], kind: str) -> Slot:
    """An amount with a unit; a change takes another of either."""

    def change(value: Value, chance: Random) -> tuple[str, Value]:
        amount, place = value.number, value.meaning[1]
        assert isinstance(place, int)
        if chance.random() < 0.5:
            other = chance.choice([other for other in range(len(units)) if other != place])
            return kind, values.measure(amount, units[other], other)
        return "", values.measure(_near(amount, chance, 1, max(amounts)), units[place], place)

    def make(chance: Random) -> Value:
        place = chance.randrange(len(units))
        return values.measure(chance.choice(amounts), units[place], place)

    return Slot(make, change)


def _money() -> Slot:
    places = range(len(values.CURRENCIES))

    def change(value: Value, chance: Random) -> tuple[str, Value]:
        amount, currency = value.number, value.meaning[1]
        assert isinstance(currency, int)
        if chance.random() < 0.35:
            return "unit", values.money(amount, chance.choice([other for other in places if other != currency]))
        return "", values.money(_near(amount, chance, 2, 2000), currency)

    return Slot(lambda chance: values.money(chance.choice(SUMS), chance.choice(places)), change)


def _two(first: str, second: str) -> Slot:
    """A name of two parts from two lists; a change often leaves one of them."""
    ones, twos = ([words[0] for words in names()[sort]] for sort in (first, second))

    def tell(one: int, two: int) -> Value:
        return Value((one, two), (f"{ones[one]} {twos[two]}",))

    def change(value: Value, chance: Random) -> tuple[str, Value]:
        one, two = value.meaning
        assert isinstance(one, int)
        assert isinstance(two, int)
        other_one = (one + chance.randrange(1, len(ones))) % len(ones)
        other_two = (two + chance.randrange(1, len(twos))) % len(twos)
        return "", tell(*chance.choice(((other_one, two), (one, other_two), (other_one, other_two))))

    return Slot(lambda chance: tell(chance.randrange(len(ones)), chance.randrange(len(twos))), change)


def _made_up(tell: Callable[[str], str], pieces: Sequence[str], least: int, most: int) -> Slot:
    """A name that stands in no list, put together from pieces; a change takes another piece, or others for all."""

    def value(chosen: Sequence[str]) -> Value:
        return Value(tuple(chosen), (tell("".join(chosen)),))

    def change(old: Value, chance: Random) -> tuple[str, Value]:
        chosen = [str(piece) for piece in old.meaning]
        for place in [chance.randrange(len(chosen))] if chance.random() < 0.6 else range(len(chosen)):
            chosen[place] = chance.choice([piece for piece in pieces if piece != chosen[place]])
        return "", value(chosen)

    return Slot(lambda chance: value([chance.choice(pieces) for _ in range(chance.randint(least, most))]), change)


SYLLABLES = [words[0] for words in names()["syllable"]]
FOLDERS = [f"{words[0]}/" for words in names()["folder name"]]
SECONDS, MINUTES = Unit("second", "seconds", ("s",)), Unit("minute", "minutes", ("min",))
TIMES = (
    MINUTES,
    Unit("hour", "hours", ("h",)),
    Unit("day", "days"),
    Unit("week", "weeks"),
    Unit("month", "months"),
    Unit("year", "years"),
)
WEIGHTS = (
    Unit("gram", "grams", ("g",)),
    Unit("kilogram", "kilograms", ("kg",)),
    Unit("pound", "pounds", ("lb",)),
    Unit("ounce", "ounces", ("oz",)),
)
VOLUMES = (
    Unit("litre", "litres", ("l",)),
    Unit("millilitre", "millilitres", ("ml",)),
    Unit("cup", "cups"),
    Unit("gallon", "gallons", ("gal",)),
)
LENGTHS = (
    Unit("metre", "metres", ("m",)),
    Unit("centimetre", "centimetres", ("cm",)),
    Unit("kilometre", "kilometres", ("km",)),
    Unit("mile", "miles"),
    Unit("foot", "feet", ("ft",)),
    Unit("inch", "inches"),
)
DOSES = (
    Unit("milligram", "milligrams", ("mg",)),
    Unit("gram", "grams", ("g",)),
    Unit("microgram", "micrograms", ("mcg",)),
)
DEGREES = (Unit("degree Celsius", "degrees Celsius", ("°C",)), Unit("degree Fahrenheit", "degrees Fahrenheit", ("°F",)))
SIZES = (
    Unit("kilobyte", "kilobytes", ("kB",)),
    Unit("megabyte", "megabytes", ("MB",)),
    Unit("gigabyte", "gigabytes", ("GB",)),
    Unit("terabyte", "terabytes", ("TB",)),
)

SLOTS: dict[str, Slot] = {
    "n": _range(2, 20, values.count),
    "count": _range(2, 100, values.count),
    "number": _range(2, 999, values.count),
    "year": _range(1900, 2029, _plain(str)),
    "age": _range(2, 90, values.count),
    "version": _range(21, 199, values.version),
    "percent": _range(1, 99, values.percent),
    "ordinal": _range(1, 25, values.ordinal),
    "status": _range(100, 599, _plain(str)),
    "order": _range(100000, 999999, _plain(lambda number: f"#{number}")),
    "ticket": _range(100, 9999, _plain(lambda number: f"{('OPS', 'WEB', 'API')[number % 3]}-{number}")),
    "flight": _range(100, 9899, _plain(lambda number: f"{('LH', 'BA', 'AF', 'KL')[number % 4]}{number}")),
    "port": _range(1024, 9999, _plain(str)),
    "money": _money(),
    "time": _shifted(
        lambda chance: chance.choice((0, 0, 0, 15, 30, 45)) + 60 * chance.randint(6, 22),
        values.clock,
        (DAY // 2, 60, DAY - 60, 30, 120),
        DAY,
    ),
    "date": _shifted(
        lambda chance: chance.randrange(YEAR), values.date, (1, YEAR - 1, 7, 10, 28, 56, 140, YEAR - 28), YEAR
    ),
    "duration": _measured(TIMES, (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 24, 30, 48, 60, 90), "duration"),
    "short": _measured((SECONDS, MINUTES), (5, 10, 15, 20, 30, 45, 60), "duration"),
    "weight": _measured(WEIGHTS, (2, 5, 10, 50, 100, 200, 250, 500), "unit"),
    "volume": _measured(VOLUMES, (2, 3, 5, 10, 20, 50, 200), "unit"),
    "length": _measured(LENGTHS, (2, 3, 5, 8, 10, 20, 50, 100), "unit"),
    "dose": _measured(DOSES, (5, 10, 20, 50, 100, 200, 400, 500), "unit"),
    "degrees": _measured(DEGREES, (5, 10, 18, 20, 25, 40, 60, 100, 180, 200), "unit"),
    "size": _measured(SIZES, (2, 4, 5, 8, 10, 16, 50, 64, 100, 500), "unit"),
    "fullname": _two("first name", "last name"),
    "title": _two("beginning of a title", "end of a title"),
    "brand": _made_up(str.capitalize, SYLLABLES, 2, 3),
    "user": _made_up(lambda name: f"{name}{len(name) * 7}", SYLLABLES, 2, 2),
    "mail": _made_up(lambda name: f"{name}@example.com", SYLLABLES, 2, 2),
    "path": _made_up(lambda name: f"/{name}", FOLDERS, 2, 3),
    "hex": _made_up(lambda name: f"id_{name}", "0123456789abcdef", 6, 8),
    "sku": _made_up(lambda name: f"{name[:2]}-{name[2:]}", "ACDEFHKM3479", 6, 6),
}
