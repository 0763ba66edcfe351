"""The words of problems: what a type admits, what stands there instead, what was probably meant.

No text made here holds a value from outside or a secret: `shown` is the one way to quote what a file says.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from msgspec import inspect

from gateway.config.kinds import bare, extra, members_of
from gateway.config.model import Duration, Interval, Share, Size
from gateway.config.problem import Place
from gateway.config.tree import Mapping, Node, Scalar, Sequence, Spot
from gateway.config.units import DURATION_WANTED, INTERVAL_WANTED, SHARE_WANTED, SIZE_WANTED

SECRET_KEYS = frozenset({"key", "api_key", "token", "digest_key", "headers", "url", "proxy", "options"})
LONGEST_SHOWN = 40
_WANTED = {Duration: DURATION_WANTED, Interval: INTERVAL_WANTED, Share: SHARE_WANTED, Size: SIZE_WANTED}
_NOT_BOOLEANS = frozenset({"on", "off", "yes", "no", "y", "n"})


def describe(kind: inspect.Type) -> str:
    """What a type admits, in the words of a problem."""
    if wants := extra(kind, "wants"):
        return wants
    match bare(kind):
        case inspect.IntType(ge=low, le=high):
            return "a whole number" + _range(low, high)
        case inspect.FloatType(ge=low, le=high):
            return "a number" + _range(low, high)
        case inspect.BoolType():
            return "`true` or `false`"
        case inspect.StrType():
            return "text"
        case inspect.LiteralType(values=values):
            return one_of(values)
        case inspect.CustomType(cls=cls):
            return _WANTED[cls]
        case inspect.VarTupleType():
            return "a list"
        case inspect.UnionType() as union:
            members = [each for each in members_of(union) if not isinstance(bare(each), inspect.NoneType)]
            # The words of one member may speak for all of them.
            said = [each for each in members if extra(each, "wants")]
            return " or ".join(dict.fromkeys(describe(each) for each in said or members))
        case _:
            return "a mapping (`key: value`)"


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:,g} to {high:,g}" if high < 1e6 else f" from {low:g} to {int(high)}"
    return f" of at least {low:g}" if low is not None else ""


def one_of(values: Iterable[object]) -> str:
    shown = [f"`{value}`" for value in values]
    return shown[0] if len(shown) == 1 else "one of " + ", ".join(shown)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, or None."""
    names = list(known)
    plain = {each.lower().replace("-", "_"): each for each in names}
    close = difflib.get_close_matches(name.lower().replace("-", "_"), plain, n=1, cutoff=0.65)
    return plain[close[0]] if close else None


def shown(node: Node, place: Place) -> str:
    """A value in the words of a problem: never one from outside, never a secret."""
    match node:
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case Scalar(sources=sources, empty=empty) if sources:
            return "the value of " + " and ".join(dict.fromkeys(sources)) + (", which is empty" if empty else "")
        case Scalar() if place and isinstance(place[-1], str) and SECRET_KEYS.intersection(place):
            return "this value"
        case Scalar(text=text, plain=plain):
            line = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "..."
            line = line.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
            return f"`{line}`" if plain else f'`"{line}"`'


def where(spot: Spot, file: str) -> str:
    """`line 7`, and of which file, where it is another than `file`."""
    return f"line {spot.line}" if spot.file == file else f"line {spot.line} of {spot.file}"


def name_of(place: Place) -> str:
    match place:
        case ():
            return "the file"
        case (*_, str(name)):
            return f"`{name}`"
        case (*_, str(name), int(index)):
            return f"entry {index + 1} of `{name}`"
        case _:
            return "this"


def advice_for(node: Node, wanted: list[inspect.Type], place: Place) -> str:
    """What to change, where the mistake is a usual one."""
    match node, wanted:
        case Scalar(sources=()) as scalar, [inspect.StrType()] if scalar.kind() != "text":
            return (
                f'put it in quotes: "{scalar.text}"' if "this value" not in shown(node, place) else "put it in quotes"
            )
        case Scalar(text=text), [inspect.BoolType()] if text.lower() in _NOT_BOOLEANS:
            return "in YAML 1.2 only `true` and `false` are booleans"
        case Scalar(), [inspect.VarTupleType()]:
            return "put it in brackets: [...]"
        case Scalar(text=text, sources=()), [inspect.LiteralType(values=values)]:
            close = did_you_mean(text, [str(value) for value in values])
            if close == text:
                return "write it without quotes"
            return f"did you mean `{close}`?" if close else ""
        case Scalar(text=text, sources=()), [inspect.CustomType()] if text.isascii() and text.isdigit():
            return "add its unit"
        case Scalar(text=text, sources=()), [inspect.CustomType()] if re.fullmatch(r"[0-9]+ ?[kKMGT]i?[bB]?", text):
            digits = re.sub(r"[^0-9]", "", text)
            return f"did you mean `{digits}{text.removeprefix(digits).strip()[0].upper()}iB`?"
        case Scalar(text=text, sources=(), plain=True), [inspect.IntType() | inspect.FloatType()] if "_" in text:
            return "write the digits without `_`"
        case _:
            return ""
