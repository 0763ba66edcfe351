"""What pieces of a stream amount to, member by member, for members that nobody has described.

Two kinds of piece. A *delta* is added to what came before: texts are joined, lists grow, entries with an `index` grow
each by itself. That is how OpenAI's own clients accumulate (openai-python `lib/streaming/_deltas.py`, openai-node
`ChatCompletionStream`), but where those two disagree, or would make nonsense, the member's name is noted as a doubt.
A *state* says again what is so: the last one counts, and a state that contradicts an earlier one is a doubt.
Nothing is copied deeply and nothing given is changed; null is "nothing said".
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

# What is told in pieces.
TEXTS = frozenset(
    {
        "arguments",
        "content",
        "input",
        "reasoning",
        "reasoning_content",
        "refusal",
        "summary",
        "text",
        "thinking",
        "transcript",
    }
)
# What names a thing: servers say it once, or again with each piece, or an empty one with the later pieces.
LABELS = frozenset({"id", "call_id", "type", "role", "name", "format", "object", "model", "index"})

Members = dict[str, object]


def merge_deltas(deltas: Iterable[Members], doubts: list[str]) -> Members:
    """The object that these deltas add up to; names of members that were guessed are appended to `doubts`."""
    return {name: _add_up(name, values, doubts) for name, values in _by_name(deltas).items()}


def merge_states(states: Iterable[Members], doubts: list[str]) -> Members:
    """The object that these states describe; names of members with contradictory values are appended to `doubts`."""
    changes = (state for state, _ in groupby(states))  # most chunks repeat the one before
    return {name: _settle(name, values, doubts) for name, values in _by_name(changes).items()}


def merge_lists(objects: Iterable[Members], doubts: list[str]) -> Members:
    """Objects whose lists are continued from one to the next (log probabilities); what is no list is a state."""
    merged: Members = {}
    for name, values in _by_name(objects).items():
        lists = [value for value in values if isinstance(value, list)]
        if lists and all(value is None or isinstance(value, list) for value in values):
            merged[name] = [item for items in lists for item in items]
        else:
            merged[name] = _settle(name, values, doubts)
    return merged


def _by_name(objects: Iterable[Members]) -> dict[str, list[object]]:
    """Each member's values, in order; the members in the order in which they were first seen."""
    values: dict[str, list[object]] = {}
    for each in objects:
        for name, value in each.items():
            if name in values:
                values[name].append(value)
            else:
                values[name] = [value]
    return values


def _add_up(name: str, values: list[object], doubts: list[str]) -> object:
    said = [value for value in values if value is not None]
    if not said:
        return None
    if name in LABELS:
        return _settle(name, said, doubts)
    texts = [value for value in said if isinstance(value, str)]
    if len(texts) == len(said):
        return _join(name, texts, doubts)
    objects = [value for value in said if isinstance(value, dict)]
    if len(objects) == len(said):
        return objects[0] if len(objects) == 1 else merge_deltas(objects, doubts)
    lists = [value for value in said if isinstance(value, list)]
    if len(lists) == len(said):
        return _extend(name, lists, doubts)
    return _settle(name, said, doubts)


def _join(name: str, texts: list[str], doubts: list[str]) -> str:
    """An unknown text that says the same every time may be a label as well as a stutter."""
    told = [text for text in texts if text]
    if name not in TEXTS and len(told) > 1 and all(text == told[0] for text in told):
        doubts.append(name)
        return told[0]
    return "".join(told)


def _extend(name: str, lists: list[list[object]], doubts: list[str]) -> list[object]:
    """Entries of one `index` are one entry, wherever they come; other entries follow each other. Sure are: an index that
    comes again in another list, indexes that ascend, plain values."""
    items = [item for each in lists for item in each]
    indexed: dict[int, list[Members]] = {}
    for item in items:
        if not isinstance(item, dict) or type(item.get("index")) is not int:
            if sum(map(bool, lists)) > 1 and any(isinstance(item, (dict, list)) for item in items):
                doubts.append(name)
            return items
        indexed.setdefault(item["index"], []).append(item)
    ascending = sorted(indexed.items())
    if list(indexed) != [index for index, _ in ascending] or any(
        len({item["index"] for item in each if isinstance(item, dict)}) < len(each) for each in lists
    ):
        doubts.append(name)
    return [pieces[0] if len(pieces) == 1 else merge_deltas(pieces, doubts) for _, pieces in ascending]


def _settle(name: str, values: list[object], doubts: list[str]) -> object:
    """Objects are completed by later ones; of anything else the last counts, and "" says nothing where there is more."""
    said = [value for value in values if value is not None and value != ""] or [v for v in values if v is not None]
    if not said:
        return None
    last = said[-1]
    if len(said) == 1 or all(value == last for value in said):
        return last
    objects = [value for value in said if isinstance(value, dict)]
    if len(objects) == len(said):
        return merge_states(objects, doubts)
    doubts.append(name)
    return last
