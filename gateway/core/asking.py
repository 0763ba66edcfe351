"""A question in the form that an upstream takes, and the answer in what it says: both as a route of `kind: query` has them.

Pure. The question is put into the texts of a JSON value, never into its source, so it cannot become part of the document.
"""

from __future__ import annotations

import msgspec

from gateway.core.jsonpath import JsonPath

_encode = msgspec.json.Encoder().encode


class Ask(msgspec.Struct, frozen=True):
    """`body` is a JSON value; `placeholder` in its texts stands for the question. `answer` is where the answer stands."""

    body: object
    placeholder: str
    answer: JsonPath

    def request(self, question: str) -> bytes:
        """The upstream's request body."""
        return _encode(self._filled(self.body, question))

    def read(self, document: object) -> object | None:
        """The answer in what an upstream says: a text, several put together, or what else stands there. None: nothing."""
        found = [value for value in self.answer.values([document]) if value is not None]
        texts = [value for value in found if isinstance(value, str)]
        if found and len(texts) == len(found):
            return "".join(texts)
        return found[0] if len(found) == 1 else found or None

    def _filled(self, value: object, question: str) -> object:
        match value:
            case str(text):
                return text.replace(self.placeholder, question)
            case dict(members):
                return {name: self._filled(member, question) for name, member in members.items()}
            case tuple(items):
                return [self._filled(item, question) for item in items]
            case _:
                return value
