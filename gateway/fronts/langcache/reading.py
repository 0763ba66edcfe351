"""Request bodies -> what they ask for; everything that is wrong with one is told at once, field by field.

A member that nobody knows is an error: a filter that was misspelt would otherwise find what it was to leave out. An
optional member that is null is not there.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from gateway.core.body import Document
from gateway.core.messages import Reason
from gateway.errors import FieldProblem, InvalidFields
from gateway.fronts.langcache.conversation import read_turn
from gateway.fronts.langcache.shapes import (
    LONGEST_PROMPT,
    LONGEST_TTL_MS,
    LONGEST_VALUE,
    MOST_ATTRIBUTES,
    MOST_RESULTS,
    MOST_TURNS,
    Put,
    Sought,
    Strategy,
)

_ATTRIBUTE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SEARCH = ("prompt", "similarityThreshold", "searchStrategies", "attributes", "maxResults")


def read_put(document: Document) -> Put:
    """Raises InvalidFields, as all of these do."""
    fields = _Fields(document, ("prompt", "response", "attributes", "ttlMillis"))
    millis = fields.whole("ttlMillis", 1, LONGEST_TTL_MS)
    put = Put(
        prompt=fields.prompt("prompt"),
        response=fields.text("response"),
        attributes=fields.attributes(),
        ttl=None if millis is None else millis / 1000,
    )
    fields.settle()
    return put


def read_search(document: Document, *, conversation: bool = False) -> Sought:
    fields = _Fields(document, (*_SEARCH, "context") if conversation else _SEARCH)
    sought = Sought(
        prompt=fields.prompt("prompt"),
        threshold=fields.share("similarityThreshold"),
        strategies=fields.strategies(),
        attributes=fields.attributes(),
        limit=fields.whole("maxResults", 1, MOST_RESULTS) or 1,
        context=fields.context(),
    )
    fields.settle()
    return sought


def read_removal(document: Document) -> dict[str, str]:
    """The attributes that an entry must have to be removed; none: all are."""
    fields = _Fields(document, ("attributes",))
    attributes = fields.attributes(required=True)
    fields.settle()
    return attributes


class _Fields:
    """The members of one body, and what is wrong with them."""

    def __init__(self, document: Document, known: tuple[str, ...]) -> None:
        self._problems: list[FieldProblem] = []
        self._members = _members(document)
        for name in self._members:
            if name not in known:
                self._say(name[:40], "unknown", _unknown(name, known))

    def settle(self) -> None:
        if self._problems:
            raise InvalidFields(tuple(self._problems))

    def text(self, name: str) -> str:
        value = self._required(name)
        if value is None or isinstance(value, str):
            return value or ""
        self._say(name, "type", f"must be text, not {_kind(value)}")
        return ""

    def prompt(self, name: str) -> str:
        text = self.text(name)
        if name in self._members and isinstance(self._members[name], str):
            turn = read_turn(text)
            self._bound(name, turn.text)
            for earlier in turn.earlier:
                self._bound(name, earlier)
        return text

    def share(self, name: str) -> float | None:
        value = self._members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._say(name, "type", f"must be a number, not {_kind(value)}")
        elif not 0 <= value <= 1:
            self._say(name, "range", "must be from 0 to 1: it is a similarity")
        else:
            return float(value)
        return None

    def whole(self, name: str, least: int, most: int) -> int | None:
        value = self._members.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self._say(name, "type", f"must be a whole number, not {_kind(value)}")
        elif not least <= value <= most:
            self._say(name, "range", f"must be from {least} to {most}")
        else:
            return value
        return None

    def strategies(self) -> tuple[Strategy, ...]:
        name = "searchStrategies"
        read: list[Strategy] = []
        for value in self._list(name):
            if value not in list(Strategy):
                self._say(name, "enum", "must be a list of `exact` and `semantic`")
                return ()
            read.append(Strategy(str(value)))
        return tuple(dict.fromkeys(read))

    def context(self) -> tuple[str, ...]:
        name = "context"
        turns = self._list(name)
        if len(turns) > MOST_TURNS:
            self._say(name, "maxItems", f"must have {MOST_TURNS} turns at most")
            return ()
        read: list[str] = []
        for turn in turns:
            if not isinstance(turn, str):
                self._say(name, "type", f"must be a list of texts, and there is {_kind(turn)} in it")
                return ()
            if len(turn) > LONGEST_PROMPT:
                self._say(name, "maxLength", f"must have turns of {LONGEST_PROMPT} characters at most")
                return ()
            read.append(turn)
        return tuple(read)

    def attributes(self, *, required: bool = False) -> dict[str, str]:
        name = "attributes"
        value = self._required(name) if required else self._members.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._say(name, "type", f"must be an object of texts, not {_kind(value)}")
            return {}
        if len(value) > MOST_ATTRIBUTES:
            self._say(name, "maxProperties", f"must have {MOST_ATTRIBUTES} members at most")
            return {}
        for key, text in value.items():
            self._check_attribute(f"attributes.{key[:40]}", key, text)
        return {key: text for key, text in value.items() if isinstance(text, str)}

    def _check_attribute(self, place: str, key: str, text: object) -> None:
        if _ATTRIBUTE.fullmatch(key) is None:
            self._say(place, "pattern", "an attribute's name is 1 to 32 letters, digits, `_` and `-`")
        if not isinstance(text, str):
            self._say(place, "type", f"must be text, not {_kind(text)}")
        elif not 1 <= len(text) <= LONGEST_VALUE:
            self._say(place, "maxLength" if text else "minLength", f"must be 1 to {LONGEST_VALUE} characters long")
        elif "," in text:
            self._say(place, "pattern", "must be without commas")

    def _bound(self, name: str, text: str) -> None:
        if not text.strip():
            self._say(name, "minLength", "must not be blank")
        elif len(text) > LONGEST_PROMPT:
            self._say(name, "maxLength", f"must be {LONGEST_PROMPT} characters long at most")

    def _list(self, name: str) -> list[object]:
        value = self._members.get(name)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        self._say(name, "type", f"must be a list, not {_kind(value)}")
        return []

    def _required(self, name: str) -> object:
        value = self._members.get(name)
        if value is None:
            self._say(name, "required", "is missing")
        return value

    def _say(self, field: str, rule: str, message: str) -> None:
        self._problems.append(FieldProblem(field, rule, f"{field} {message}"))


def _members(document: Document) -> Mapping[str, object]:
    match document.reason:
        case Reason.AMBIGUOUS_JSON:
            raise InvalidFields((), "the body is ambiguous: a member twice, broken Unicode, or nesting over 100")
        case Reason():
            raise InvalidFields((), "the body is not JSON")
    match document.holder:
        case [dict(members)]:
            return members
        case None:
            raise InvalidFields((), "the body is empty, and must be a JSON object")
        case _:
            raise InvalidFields((), "the body must be a JSON object")


def _unknown(name: str, known: tuple[str, ...]) -> str:
    plain = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower().replace("_", ""), plain, n=1, cutoff=0.75)
    return f"is not known here: did you mean `{plain[close[0]]}`?" if close else "is not known here"


def _kind(value: object) -> str:
    match value:
        case bool():
            return "a boolean"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "null"
