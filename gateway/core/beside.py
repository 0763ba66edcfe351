"""Members that stand beside an answer in words and are about the exchange, not about what was asked: counters, times, ids.

Pure. They differ from answer to answer whatever was asked, so two answers may be compared without them; but only where the
answer is said in words beside them, and where no question asks for what they hold. In doubt a member counts: what is left
out wrongly would make a wrong answer look right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SAID_UNDER = ("answer", "response", "reply", "text", "content", "output", "completion", "result", "message")
"""Where JSON APIs without a dialect say their answer in words."""

_EXCHANGE = frozenset(
    [
        *("request", "requests", "response", "responses", "query", "queries", "prompt", "completion", "inference"),
        *(
            "generated",
            "generation",
            "processing",
            "processed",
            "served",
            "server",
            "worker",
            "host",
            "node",
            "replica",
        ),
        *("latency", "elapsed", "queue", "queued", "quota", "token", "tokens", "retry", "retries", "attempts"),
        *("correlation", "trace", "span", "session", "conversation", "thread", "turn", "nonce", "hash", "checksum"),
        *("digest", "etag", "timestamp", "ts", "seq", "sequence", "counter", "uptime", "cache", "cached"),
    ]
)
"""One of these words in a member's name says that it is about the exchange."""
_BARE = frozenset(["n", "no", "nr", "num", "number", "count", "calls", "call", "index"])
"""Names that may count requests or be what was asked for."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ASKS_FOR_NO_NUMBER = re.compile(
    r"\W*(?:who|whose|when|where|why|is|are|was|were|do|does|did|can|could|may|must|should|will|would|has|have"
    r"|how (?:do|does|did|can|could|should|to|is|are)|what (?:do|does|did|should|can))\b",
    re.IGNORECASE,
)
_ASKS_FOR_A_NUMBER = re.compile(
    r"\b(?:how (?:many|much|long|old|far|tall|big|high|often|late)|number|count|amount|total|which|score|page)\b",
    re.IGNORECASE,
)
_SHORTEST_TELLING = 3
"""Letters of a word that tells something: "at" and "by" are in names and questions alike."""
_LONGEST_MARK = 64
"""Characters of a text that may be an id or a time."""


def said_in(document: dict[str, object]) -> str | None:
    """The text of a document's usual member for one, if it has such a member."""
    texts = (document.get(name) for name in SAID_UNDER)
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), None)


def is_about_the_exchange(name: str, values: Sequence[object], now: str, asked: frozenset[str]) -> bool:
    """May a member of this name, with these values in two answers, be left out of their comparison? `now` is the question
    as it was asked now (with the one asked before, line by line), `asked` the words of both in lower case."""
    if not all(_is_mark(value) for value in values):
        return False
    words = {word.lower() for word in _WORD.findall(name)}
    telling = {word for word in words if len(word) >= _SHORTEST_TELLING}
    if telling & asked or {word.removesuffix("s") for word in telling} & asked:
        return False
    if words & _EXCHANGE:
        return True
    return words <= _BARE and bool(words) and _asks_for_no_number(now)


def _asks_for_no_number(questions: str) -> bool:
    return bool(_ASKS_FOR_NO_NUMBER.match(questions)) and not _ASKS_FOR_A_NUMBER.search(questions)


def _is_mark(value: object) -> bool:
    """A number, or one word as ids and times are; absent as well."""
    if isinstance(value, str):
        return len(value) <= _LONGEST_MARK and not any(each.isspace() for each in value)
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
