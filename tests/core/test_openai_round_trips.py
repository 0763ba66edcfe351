"""Properties of OpenAI's two dialects: whatever an answer says, its stream says, and the other way round.

Answers are made up with unknown members on every level; streams are cut from answers by this file's own knife, not by
the gateway's: at any character, choices interleaved, with what servers add (comments, repeated roles, nulls, padding).
"""

from __future__ import annotations

import json

from dialect_values import TEXT, more
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.dialects.base import Assembled
from gateway.core.dialects.registry import by_name
from gateway.core.messages import Form
from gateway.core.streams import split

CHAT, COMPLETIONS = by_name("openai-chat"), by_name("openai-completions")
DONE = b"data: [DONE]\n\n"

functions = more({"name": TEXT, "arguments": TEXT})
calls = more({"id": TEXT, "type": st.just("function"), "function": functions})
messages = more(
    {"role": st.just("assistant"), "content": st.none() | TEXT},
    refusal=st.none() | TEXT,
    reasoning_content=st.none() | TEXT,
    reasoning=st.none() | TEXT,
    tool_calls=st.none() | st.lists(calls, max_size=3),
    function_call=st.none() | functions,
)
finish_reasons = st.sampled_from(["stop", "length", "tool_calls"])
usages = more({"prompt_tokens": st.integers(0), "completion_tokens": st.integers(0)})


def token_entry(token):
    return {"token": token, "logprob": -0.5, "bytes": list(token.encode()), "top_logprobs": []}


@st.composite
def chat_choices(draw):
    message = draw(messages)
    if message["content"] == "" and any(message.get(name) for name in ("refusal", "tool_calls", "function_call")):
        message["content"] = None
    choice = draw(more({"message": st.just(message), "finish_reason": finish_reasons}))
    if draw(st.booleans()):
        tokens = draw(st.sampled_from([list(message["content"] or ""), ["?", "!"], []]))
        entries = st.none() | st.just([token_entry(token) for token in tokens])
        choice["logprobs"] = draw(st.none() | st.fixed_dictionaries({"content": entries, "refusal": st.none()}))
    return choice


@st.composite
def text_choices(draw):
    choice = draw(more({"text": TEXT, "finish_reason": finish_reasons}))
    if draw(st.booleans()):
        tokens = draw(st.sampled_from([list(choice["text"]), ["?", "!"]]))
        lists = {"tokens": tokens, "token_logprobs": [-0.5] * len(tokens), "top_logprobs": None}
        choice["logprobs"] = draw(st.none() | st.just(lists))
    return choice


def answers(kind, choices):
    named = {"id": TEXT, "object": st.just(kind), "created": st.integers(0, 2**40), "model": TEXT}
    numbered = st.lists(choices, min_size=1, max_size=3).map(
        lambda listed: [{"index": index, **choice} for index, choice in enumerate(listed)]
    )
    known = {**named, "choices": numbered}
    return more(known, usage=usages, system_fingerprint=st.none() | TEXT, service_tier=TEXT)


chat_answers = answers("chat.completion", chat_choices())
text_answers = answers("text_completion", text_choices())


def comes_back(dialect, answer, usage):
    stream = dialect.render(answer, usage=usage)
    if usage and "usage" not in answer:
        assert stream is None
        return
    assert stream.endswith(DONE)
    events = split(stream, Form.SSE)
    said = answer if usage else {name: value for name, value in answer.items() if name != "usage"}
    assert dialect.assemble(events) == Assembled(said, True)
    assert dialect.adapt(events, usage=usage) == stream
    assert dialect.adapt(events, usage=False) == (stream if not usage else without_usage(events))


def without_usage(events):
    return b"".join(event.raw for event in events if b'"choices":[],' not in event.raw)


@given(chat_answers, st.booleans())
def test_a_chat_answer_comes_back_from_its_stream(answer, usage):
    comes_back(CHAT, answer, usage)


@given(text_answers, st.booleans())
def test_a_text_answer_comes_back_from_its_stream(answer, usage):
    comes_back(COMPLETIONS, answer, usage)


def cut(draw, text):
    """The text in pieces that make it up, some of them empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[begin:end] for begin, end in zip([0, *places], [*places, len(text)], strict=True)]


def chat_deltas(draw, message):
    """A message as a server might say it: texts cut anywhere, calls grown in turns, everything unknown at some point."""
    texts = {"content", "refusal", "reasoning", "reasoning_content"}
    deltas = [{"role": "assistant", "content": message["content"] and ""}]
    calls = message.get("tool_calls") or []
    for name, value in message.items():
        if name in texts and value:
            deltas += [{name: piece} for piece in cut(draw, value)]
        elif name == "tool_calls" and value:
            opened = [{**call, "function": {**call["function"], "arguments": None}} for call in calls]
            deltas.append({name: [{"index": index, **call} for index, call in enumerate(opened)]})
        elif name == "function_call" and value:
            deltas.append({name: {**value, "arguments": ""}})
            deltas += [{name: {"arguments": piece}} for piece in cut(draw, value["arguments"])]
        elif name not in {"role", "content"}:
            deltas.append({name: value})
    grown = [
        [{"index": index, "function": {"arguments": piece}} for piece in cut(draw, call["function"]["arguments"])]
        for index, call in enumerate(calls)
    ]
    deltas += [{"tool_calls": [piece]} for piece in interleave(draw, grown)]
    if draw(st.booleans()):
        deltas = [{"role": "assistant", **delta} for delta in deltas]
    return deltas


def interleave(draw, rows):
    """The rows' members, each row in its order."""
    turns = draw(st.permutations([number for number, row in enumerate(rows) for _ in row]))
    waiting = [iter(row) for row in rows]
    return [next(waiting[number]) for number in turns]


@st.composite
def chat_streams(draw):
    """An answer, and a stream that says it."""
    answer = draw(chat_answers.filter(lambda each: each["id"] and each["created"] and each["model"]))
    rows = []
    for choice in answer["choices"]:
        deltas = chat_deltas(draw, choice["message"])
        shares = [{"index": choice["index"], "delta": delta, "finish_reason": None} for delta in deltas]
        if "logprobs" in choice:
            shares[0]["logprobs"] = choice["logprobs"]
            shares += [{**shares[0], "delta": None, "logprobs": None}]
        others = {name: value for name, value in choice.items() if name.startswith("x_")}
        shares.append({"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"], **others})
        rows.append(shares)
    head = {
        "id": answer["id"],
        "object": "chat.completion.chunk",
        "created": answer["created"],
        "model": answer["model"],
    }
    chunks = [{**head, "choices": [share], "obfuscation": "x"} for share in interleave(draw, rows)]
    once = {name: value for name, value in answer.items() if name not in {*head, "choices", "usage"}}
    draw(st.sampled_from(chunks)).update(once)
    if "usage" in answer:
        if draw(st.booleans()):
            chunks.append({**head, "choices": []})
        chunks[-1]["usage"] = answer["usage"]
    return answer, written(draw, chunks)


def written(draw, chunks):
    ending = draw(st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"]))
    comment = draw(st.sampled_from(["", f": ping{ending}", f"event: message\ndata:{ending}"]))
    ascii_only = draw(st.booleans())
    lines = [f"data: {json.dumps(chunk, ensure_ascii=ascii_only)}{ending}{comment}" for chunk in chunks]
    return ("".join(lines) + f"data: [DONE]{ending}").encode()


@given(chat_streams())
def test_a_stream_amounts_to_the_answer_that_it_was_cut_from(pair):
    answer, stream = pair
    assert CHAT.assemble(split(stream, Form.SSE)) == Assembled(answer, True)


@given(chat_streams())
def test_what_a_stream_amounts_to_is_a_fixed_point(pair):
    assembled = CHAT.assemble(split(pair[1], Form.SSE))
    stream = CHAT.render(assembled.document, usage="usage" in assembled.document)
    assert CHAT.assemble(split(stream, Form.SSE)) == assembled


known = st.sampled_from(
    [
        "index",
        "message",
        "delta",
        "content",
        "role",
        "tool_calls",
        "finish_reason",
        "logprobs",
        "usage",
        "text",
        "error",
    ]
)
odd = st.recursive(
    st.none() | st.integers(-1, 2) | st.sampled_from(["", "a", "stop"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(known, inner, max_size=5),
    max_leaves=20,
)


@given(
    st.sampled_from([CHAT, COMPLETIONS]),
    st.fixed_dictionaries(
        {"choices": st.lists(st.dictionaries(known, odd) | odd, max_size=3) | odd},
        optional={"usage": odd, "id": odd, "object": odd, "created": odd, "model": odd, "error": odd},
    ),
    st.booleans(),
)
def test_odd_documents_are_rendered_faithfully_or_not_at_all(dialect, document, usage):
    stream = dialect.render(document, usage=usage)
    if stream is not None:
        again = dialect.assemble(split(stream, Form.SSE))
        assert again.faithful
        assert dialect.render(again.document, usage=usage) == stream
        assert again.document["choices"][0]["finish_reason"] == document["choices"][0]["finish_reason"]


@given(
    st.sampled_from([CHAT, COMPLETIONS]),
    st.lists(
        st.dictionaries(known | st.just("choices"), odd) | st.fixed_dictionaries({"choices": st.lists(odd)}) | odd
    ),
)
def test_odd_streams_break_nothing(dialect, chunks):
    events = split(b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in chunks) + DONE, Form.SSE)
    assembled = dialect.assemble(events)
    if isinstance(assembled, Assembled):
        assert all(choice["finish_reason"] for choice in assembled.document["choices"])
    dialect.adapt(events, usage=False)
