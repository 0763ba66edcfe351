"""Answers of the Responses API and its events, for tests."""

from __future__ import annotations

import copy
import json

from gateway.core.dialects.openai_responses import OpenAIResponses
from gateway.core.messages import Form
from gateway.core.streams import split

DIALECT = OpenAIResponses()


def response(*output, **members):
    return {
        "id": "resp_0f1e2d",
        "object": "response",
        "created_at": 1764000000,
        "completed_at": 1764000003,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": "gpt-5-mini-2025-08-07",
        "output": list(output),
        "parallel_tool_calls": True,
        "reasoning": {"effort": "low", "summary": "auto"},
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 14,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 31,
            "output_tokens_details": {"reasoning_tokens": 20},
            "total_tokens": 45,
        },
        "metadata": {},
        **members,
    }


def text_part(text, **members):
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text, **members}


def message(*content, **members):
    return {
        "id": "msg_0a1b",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": list(content),
        **members,
    }


CITATION = {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://example.org/", "title": "Tides"}


LOGPROB = {"token": "Twice", "logprob": -0.02, "bytes": [84], "top_logprobs": [{"token": "Twice", "logprob": -0.02}]}


REASONING = {
    "id": "rs_77",
    "type": "reasoning",
    "summary": [{"type": "summary_text", "text": "**Moon**"}, {"type": "summary_text", "text": "Two bulges."}],
    "encrypted_content": "gAAAA",
}


OPEN_REASONING = {
    "id": "rs_78",
    "type": "reasoning",
    "status": "completed",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "The user asks about tides."}],
}


CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_9",
    "name": "tide",
    "arguments": '{"place": "Brest"}',
}


CUSTOM_CALL = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_a", "name": "sh", "input": "tide -p Brest"}


SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "tide"}}


FULL = response(
    REASONING,
    OPEN_REASONING,
    SEARCH,
    message(
        text_part("Twice a day. 🌊", annotations=[CITATION], logprobs=[LOGPROB]),
        {"type": "refusal", "refusal": "No more than that."},
        {"type": "output_hologram", "voxels": [1, 2]},
        phase="final_answer",
    ),
    CALL,
    CUSTOM_CALL,
    {"id": "zz_1", "type": "thought_transfer", "payload": {"deep": [1, {"er": None}]}},
    service_tier="default",
    x_new={"nobody": "knows"},
)


# The client's accumulating stream, unlike its plain one, warns of types that it does not know, and warnings are errors.
ALL_KNOWN = copy.deepcopy(FULL)


del ALL_KNOWN["output"][3]["content"][2], ALL_KNOWN["output"][-1]


def sse(*payloads):
    """A stream of these events; `sequence_number`s are put in."""
    numbered = ({**payload, "sequence_number": number} for number, payload in enumerate(payloads))
    return b"".join(b"event: %s\ndata: %s\n\n" % (p["type"].encode(), json.dumps(p).encode()) for p in numbered)


def assembled(body):
    return DIALECT.assemble(split(body, Form.SSE))


def told(body):
    """The data of a stream's events."""
    return [json.loads(event.data) for event in split(body, Form.SSE) if event.data]


def streamed(*, final, deltas=("Twice", " a day."), item=None):
    """A stream as the API sends one: one message, in two deltas."""
    item = item or message(text_part("Twice a day."))
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    begun = {**final, "status": "in_progress", "output": [], "usage": None}
    return [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **place, "part": text_part("")},
        *(
            {"type": "response.output_text.delta", **place, "delta": d, "logprobs": [], "obfuscation": "xK3"}
            for d in deltas
        ),
        {"type": "response.output_text.done", **place, "text": "Twice a day.", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": text_part("Twice a day.")},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": final},
    ]


TIDES = response(message(text_part("Twice a day.")))
