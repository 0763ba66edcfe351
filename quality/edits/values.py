"""Values with all the words that say them: 5 and five, €20 and 20 euros, 5pm and 17:00. Pure; slots.py chooses them."""

from __future__ import annotations

from dataclasses import dataclass

from quality.edits.words import names

NUMBER_WORDS = [words[0] for words in names()["number word"]]
TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety"}
ROUND = {100: "one hundred", 200: "two hundred", 500: "five hundred", 1000: "one thousand"}
ORDINALS = [words[0] for words in names()["ordinal"]]
CURRENCIES = (("€", "euros", "EUR"), ("$", "dollars", "USD"), ("£", "pounds", "GBP"), ("CHF ", "francs", "CHF"))
DAYS_OF_A_MONTH = 28
"""As many as every month has."""


@dataclass(frozen=True)
class Value:
    """What a variable stands for: `meaning` is equal for the same thing, `words` say it, most usual first."""

    meaning: tuple[object, ...]
    words: tuple[str, ...]

    @property
    def number(self) -> int:
        """The meaning of a value that is one number."""
        number = self.meaning[0]
        assert isinstance(number, int)
        return number


@dataclass(frozen=True)
class Unit:
    """`short`: signs that may be written close to the number."""

    singular: str
    plural: str
    short: tuple[str, ...] = ()


def in_words(number: int) -> str | None:
    """`twenty-five`; None where people write digits."""
    if number <= 20:
        return NUMBER_WORDS[number]
    if number < 100:
        tens, rest = TENS[number // 10 * 10], number % 10
        return f"{tens}-{NUMBER_WORDS[rest]}" if rest else tens
    return ROUND.get(number)


def count(number: int) -> Value:
    words = [str(number)]
    if told := in_words(number):
        words.append(told)
    if number >= 1000:
        words.append(f"{number:,}")
    return Value((number,), tuple(words))


def measure(amount: int, unit: Unit, place: int) -> Value:
    """An amount of a unit, which is told by its place among its like."""
    name = unit.singular if amount == 1 else unit.plural
    words = [
        f"{amount} {name}",
        *(f"{amount} {sign}" for sign in unit.short),
        *(f"{amount}{sign}" for sign in unit.short),
    ]
    if told := in_words(amount):
        words.append(f"{told} {name}")
    return Value((amount, place), tuple(words))


def money(amount: int, currency: int) -> Value:
    sign, name, code = CURRENCIES[currency]
    words = [f"{sign}{amount}", f"{amount} {name}", f"{amount} {code}"]
    if told := in_words(amount):
        words.append(f"{told} {name}")
    return Value((amount, currency), tuple(words))


def percent(number: int) -> Value:
    words = [f"{number}%", f"{number} %", f"{number} percent", f"{number} per cent"]
    if told := in_words(number):
        words.append(f"{told} percent")
    return Value((number,), tuple(words))


def ordinal(number: int) -> Value:
    words = [_with_ending(number)]
    if number <= len(ORDINALS):
        words.append(ORDINALS[number - 1])
    return Value((number,), tuple(words))


def clock(minutes: int) -> Value:
    """Minutes since midnight."""
    hour, minute = divmod(minutes, 60)
    half, twelve = ("am", "pm")[hour >= 12], hour % 12 or 12
    words = [f"{twelve}:{minute:02} {half}", f"{hour}:{minute:02}", f"{twelve}:{minute:02}{half}"]
    if minute == 0:
        part = "morning" if hour < 12 else "evening" if hour > 17 else "afternoon"
        words += [f"{twelve}{half}", f"{twelve} {half}", f"{twelve} {half[0]}.m", f"{twelve} o'clock in the {part}"]
    return Value((minutes,), tuple(words))


def date(day: int) -> Value:
    """A day of a year, counted in months of 28 days."""
    month, number = names()["month"][day // DAYS_OF_A_MONTH][0], day % DAYS_OF_A_MONTH + 1
    with_ending = _with_ending(number)
    words = (
        f"{month} {number}",
        f"{number} {month}",
        f"{month} {with_ending}",
        f"the {with_ending} of {month}",
        f"{month[:3]} {number}",
    )
    return Value((day,), words)


def version(number: int) -> Value:
    """In twentieths, so that 3.9 and 3.11 are near each other."""
    told = f"{number // 20}.{number % 20}"
    return Value((number,), (told, f"v{told}", f"version {told}"))


def _with_ending(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
