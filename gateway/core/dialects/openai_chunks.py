"""What OpenAI's two completion APIs share: a stream of chunks, each a thin slice of the answer, that ends with `[DONE]`.

Source: https://platform.openai.com/docs/api-reference/chat-streaming, the same under `completions`; openai-python and
openai-node as its readers; and what Azure, OpenRouter, vLLM, llama.cpp and others add. What a choice is made of is the
API's own (`openai_chat`, `openai_completions`). Members that are not known here are carried along: rendered once, whole,
so that every client's way of adding them up leaves them as they are; assembled as `merge` says.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain
from typing import TypeAlias

from gateway.core.dialects.base import Assembled
from gateway.core.dialects.merge import Members, merge_lists, merge_states
from gateway.core.dialects.wire import DONE, encode, objects, pieces, read, renew_id
from gateway.core.messages import Form, Reason
from gateway.core.streams import Event

# Told with every chunk; the rest of what belongs to no choice comes once, with the first.
_TOLD_ALWAYS = ("id", "object", "created", "model", "service_tier", "system_fingerprint")
# Counted up as the stream goes on (vLLM, xAI, llama.cpp).
_TOTALS = ("usage", "timings")
# These speak of the stream's chunks and not of the answer: padding against eavesdroppers (OpenAI), and which text the
# remark of an asynchronous filter is about (Azure).
_OF_THE_STREAM = frozenset({"obfuscation", "content_filter_offsets"})
_NOT_STATES = frozenset({"choices", "object", "id", "created", "model", *_TOTALS, *_OF_THE_STREAM})
# Something is told of usage in some place: most chunks say null and need not be read.
_USAGE = re.compile(rb'"usage"\s*:\s*[^\sn]')
# An answer that would grow many times over as a stream (names are told with every chunk) is left as it is.
_LONGEST_HEAD = 4096
_MOST_SLICES = 20_000
# One token in a chunk, as the API does, until there are so many.
_MOST_CHUNKS = 1000

# A part of a choice, and the log probabilities of what it says.
Share: TypeAlias = tuple[object, object]


class ChunkStream(ABC):
    """A dialect of chunks. Stateless."""

    name: str
    single_object: str
    chunk_object: str
    part: str
    """The member of a chunk's choice that holds its share of the answer."""
    empty_part: object
    whole: str
    """The member of an answer's choice that holds all of it."""
    form = Form.SSE
    stream_type = b"text/event-stream; charset=utf-8"
    single_type = b"application/json"
    usage_option: tuple[str, ...] = ("stream_options", "include_usage")

    @abstractmethod
    def join(self, parts: list[object], doubts: list[str]) -> object:
        """The whole that these parts add up to."""

    @abstractmethod
    def take_apart(self, whole: object, logprobs: object) -> Iterator[Share]:
        """The whole as parts, in order; none where it is nothing of this API's."""

    @abstractmethod
    def settle(self, whole: object) -> object:
        """Spellings that no client tells apart become one."""

    def assemble(self, events: list[Event]) -> Assembled | Reason:
        chunks = []
        ended = False
        for event in events:
            if not event.data:
                continue
            if event.name == b"error":
                return Reason.REJECTED
            if event.data.strip() == DONE:
                ended = True
                continue
            if ended:
                return Reason.INCOMPLETE
            chunk = read(event)
            if chunk is None:
                return Reason.NOT_JSON
            chunks.append(chunk)
        try:
            assembled = self._put_together(chunks)
        except RecursionError:  # nested as deep as the interpreter goes
            return Reason.NOT_JSON
        return assembled if ended or assembled is Reason.REJECTED else Reason.INCOMPLETE

    def render(self, document: object, *, usage: bool) -> bytes | None:
        if not isinstance(document, dict):
            return None
        try:
            chunks = self._slice(document, usage)
            if chunks is None:
                return None
            # What the stream says is known for certain only by reading it.
            again = self._put_together(chunks)
            if isinstance(again, Reason) or not again.faithful or again.document != self._plain(document, usage):
                return None
            return b"".join([b"data: %s\n\n" % data for data in (*map(encode, chunks), DONE)])
        except RecursionError:
            return None

    def adapt(self, events: list[Event], *, usage: bool) -> bytes | None:
        # Only who asked for it expects a chunk without choices: others fail on `choices[0]`.
        told = False
        kept = []
        for event in events:
            chunk = read(event) if event.data and _USAGE.search(event.data) else None
            if chunk is None or not _tells_usage(chunk):
                kept.append(event.raw)
                continue
            told = True
            if usage or chunk.get("choices"):
                kept.append(event.raw)
        return None if usage and not told else b"".join(kept)

    def renew(self, payload: dict[str, object], token: str, now: float) -> None:
        # Azure's remarks have neither, and are told from chunks by that.
        if payload.get("id"):
            renew_id(payload, token)
        if payload.get("created"):
            payload["created"] = int(now)

    def _put_together(self, chunks: list[Members]) -> Assembled | Reason:
        doubts: list[str] = []
        by_index: dict[int, list[Members]] = {}
        for chunk in chunks:
            choices = objects(chunk.get("choices", []) or [])
            if chunk.get("error") is not None:
                return Reason.REJECTED
            if choices is None:
                return Reason.NOT_JSON
            for position, choice in enumerate(choices):
                if choice.get("error") is not None:
                    return Reason.REJECTED
                index = choice.get("index", position)
                if type(index) is not int:
                    return Reason.NOT_JSON
                if "index" not in choice:
                    doubts.append("index")
                by_index.setdefault(index, []).append(choice)
        if not by_index or not all(map(_is_finished, by_index.values())):
            return Reason.INCOMPLETE
        joined = [self._join_choice(index, shares, doubts) for index, shares in sorted(by_index.items())]
        document = {**_first("id", chunks), "object": self.single_object, **_first("created", chunks)}
        named = [{"model": chunk["model"]} for chunk in chunks if chunk.get("model")]
        document |= merge_states(named, doubts) if named else _first("model", chunks)
        document["choices"] = joined
        for name in _TOTALS:
            totals = [chunk[name] for chunk in chunks if chunk.get(name) is not None]
            document |= {name: totals[-1]} if totals else {}
        if "usage" not in document:
            document |= _usage_of_choice(joined)
        document |= merge_states((_without(chunk, _NOT_STATES) for chunk in chunks), doubts)
        return Assembled(document, not doubts)

    def _join_choice(self, index: int, shares: list[Members], doubts: list[str]) -> Members:
        parts = [share[self.part] for share in shares if share.get(self.part) is not None]
        reasons = ({"finish_reason": share["finish_reason"]} for share in shares if share.get("finish_reason"))
        choice: Members = {"index": index, self.whole: self.join(parts, doubts)}
        if any("logprobs" in share for share in shares):
            said = [share["logprobs"] for share in shares if share.get("logprobs") is not None]
            told = [each for each in said if isinstance(each, dict)]
            choice["logprobs"] = merge_lists(told, doubts) if told else None
            if len(told) < len(said):
                doubts.append("logprobs")
        choice |= merge_states(reasons, doubts)
        choice |= merge_lists([{"token_ids": share["token_ids"]} for share in shares if "token_ids" in share], doubts)
        known = _OF_THE_STREAM | {"index", "logprobs", "finish_reason", "token_ids", self.part}
        others = merge_states((_without(share, known) for share in shares), doubts)
        if self.whole in others:  # Perplexity sends what there is so far besides what is new
            del others[self.whole]
            doubts.append(self.whole)
        return choice | others

    def _slice(self, document: Members, usage: bool) -> list[Members] | None:
        """The answer as chunks; None where its shape is none of this API's."""
        choices, tokens = objects(document.get("choices")), document.get("usage")
        if choices is None or any(type(choice.get("index")) is not int for choice in choices):
            return None
        if usage and not isinstance(tokens, dict):
            return None
        head = {name: document[name] for name in _TOLD_ALWAYS if name in document} | {"object": self.chunk_object}
        if len(encode(head)) > _LONGEST_HEAD:
            return None
        once = _without(document, frozenset({*_TOLD_ALWAYS, "choices", "usage"}))
        tail: Members = {"usage": None} if usage else {}
        chunks: list[Members] = []
        for share in chain.from_iterable(map(self._slice_choice, choices)):
            chunks.append({**head, "choices": [share], **once, **tail})
            once = {}
            if len(chunks) > _MOST_SLICES:
                return None
        if usage:
            chunks.append({**head, "choices": [], "usage": tokens})
        return chunks

    def _slice_choice(self, choice: Members) -> Iterator[Members]:
        names = [
            name for name in ("index", self.part, "logprobs", "finish_reason") if name in choice or name == self.part
        ]
        for part, logprobs in self.take_apart(choice.get(self.whole), choice.get("logprobs")):
            share = {"index": choice["index"], self.part: part, "logprobs": logprobs, "finish_reason": None}
            yield {name: share[name] for name in names}
        share = {**choice, self.part: self.empty_part, "logprobs": None}
        yield {name: share[name] for name in names} | _without(choice, frozenset({*names, self.whole}))

    def _plain(self, document: Members, usage: bool) -> Members:
        """The answer as its stream can say it."""
        plain = {"object": self.single_object, **document}
        if not usage:
            plain.pop("usage", None)
        choices = objects(document["choices"]) or []
        plain["choices"] = [{**choice, self.whole: self.settle(choice.get(self.whole))} for choice in choices]
        return plain


def steps(text: str, logprobs: object, tokens: list[object]) -> Iterator[tuple[str, object]]:
    """A text in pieces, each with its share of the log probabilities: by tokens where these make up the text; else the
    first piece has them all."""
    named = [token for token in tokens if isinstance(token, str)]
    count = len(tokens)
    if (
        count == len(named) > 0
        and isinstance(logprobs, dict)
        and "".join(named) == text
        and all(each is None or (isinstance(each, list) and len(each) == count) for each in logprobs.values())
    ):
        step = -(-count // _MOST_CHUNKS)
        for begin in range(0, count, step):
            end = begin + step
            yield "".join(named[begin:end]), {name: each and each[begin:end] for name, each in logprobs.items()}
        return
    for piece in pieces(text):
        yield piece, logprobs
        logprobs = None


def _is_finished(shares: list[Members]) -> bool:
    return any(share.get("finish_reason") for share in reversed(shares))


def _first(name: str, chunks: list[Members]) -> Members:
    """The first that says something, else what is there: Azure's remarks on the prompt and on its filters have empty names
    and no time, llama.cpp's clock goes on, and some servers give every chunk its own id."""
    values = [chunk[name] for chunk in chunks if name in chunk]
    return {name: next((value for value in values if value), values[0])} if values else {}


def _without(members: Members, names: frozenset[str]) -> Members:
    return {name: value for name, value in members.items() if name not in names}


def _tells_usage(chunk: Members) -> bool:
    choices = objects(chunk.get("choices")) or []
    return chunk.get("usage") is not None or any(choice.get("usage") is not None for choice in choices)


def _usage_of_choice(choices: list[Members]) -> Members:
    """Moonshot tells the usage in the last chunk's choice; its single answers have it where everybody's do."""
    telling = [choice for choice in choices if choice.get("usage") is not None]
    return {"usage": telling[0].pop("usage")} if len(telling) == 1 else {}
