"""The cheap model's caller: what it asks, what it pays, and what it says of trouble."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.core.messages import Cost
from gateway.errors import ConfigError, SynthesisError
from gateway.synthesis.writer import UpstreamWriter, shipped_prompt

TOLD = {"prompt_tokens": 100, "completion_tokens": 10}


class Endpoint:
    """Answers with these pieces; `asked` are the bodies that it was sent."""

    def __init__(self, *pieces: bytes, status: int = 200) -> None:
        self.pieces = list(pieces)
        self.status = status
        self.streams = True
        self.asked: list[dict[str, Any]] = []
        self.closed = 0

    async def ask(self, body: bytes) -> Endpoint:
        self.asked.append(json.loads(body))
        return self

    async def more(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        self.closed += 1


def said(text: str, usage: dict[str, int] | None = TOLD) -> list[bytes]:
    chunks: list[Any] = [{"choices": [{"delta": {"content": text}, "finish_reason": "stop"}]}]
    chunks += [{"choices": [], "usage": usage}] if usage else []
    return [b"data: %s\n\n" % json.dumps(each).encode() for each in chunks]


def writer(endpoint: Endpoint, **settings: Any) -> UpstreamWriter:
    price = settings.pop("price", lambda prompt, completion: (prompt + completion) / 1000)
    return UpstreamWriter(endpoint.ask, who="the model", model="tiny", price=price, **settings)


async def whole(writing: Any) -> str:
    text = ""
    while piece := await writing.more():
        text += piece
    return text


def test_an_answer_costs_what_the_model_says() -> None:
    async def scenario() -> None:
        endpoint = Endpoint(*said("At 11."))
        writing = writer(endpoint).order("data", 50)
        assert writing is not None
        assert endpoint.asked == []
        assert await whole(writing) == "At 11."
        assert (writing.cost, writing.dollars) == (Cost("tiny", 100, 10), 0.11)
        writing.close()
        writing.close()
        assert endpoint.closed == 1
        (body,) = endpoint.asked
        assert body["messages"] == [
            {"role": "system", "content": shipped_prompt()},
            {"role": "user", "content": "data"},
        ]
        assert (body["max_tokens"], body["stream_options"]) == (50, {"include_usage": True})

    asyncio.run(scenario())


def test_where_it_does_not_say_its_cost_is_estimated() -> None:
    async def scenario() -> None:
        writing = writer(Endpoint(*said("x" * 40, usage=None)), prompt="p" * 100).order("m" * 20, None)
        assert writing is not None
        await whole(writing)
        assert writing.cost == Cost("tiny", 30, 10)

    asyncio.run(scenario())


def test_the_length_is_told_under_the_name_that_the_model_knows() -> None:
    async def scenario() -> None:
        endpoint = Endpoint(*said("x"))
        options = {"max_tokens": None, "max_completion_tokens": 1, "temperature": None, "seed": 7}
        writing = writer(endpoint, options=options, max_tokens=300).order("data", None)
        assert writing is not None
        await whole(writing)
        (body,) = endpoint.asked
        assert "max_tokens" not in body
        assert "temperature" not in body
        assert (body["max_completion_tokens"], body["seed"]) == (300, 7)

    asyncio.run(scenario())


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_refusal_costs_nothing_and_its_words_are_not_repeated(status: int) -> None:
    async def scenario() -> None:
        endpoint = Endpoint(b'{"error": "sk-secret is no key"}', status=status)
        made = writer(endpoint, dollars_per_day=3.0, max_tokens=1, prompt="p" * 100)
        for _ in range(50):  # each sets 0.2 dollars aside, and gives them back
            writing = made.order("data", None)
            assert writing is not None
            with pytest.raises(SynthesisError) as trouble:
                await writing.more()
            assert "sk-secret" not in str(trouble.value)
            assert f"the model answered {status}" in str(trouble.value)
            assert writing.cost == Cost("tiny", 0, 0)
            assert await writing.more() == ""
            writing.close()

    asyncio.run(scenario())


def test_what_an_answer_may_cost_is_set_aside_until_its_cost_is_known() -> None:
    async def scenario() -> None:
        made = writer(Endpoint(), dollars_per_day=0.5, max_tokens=100, prompt="p" * 100)
        first, second = made.order("data", None), made.order("data", None)
        assert first is not None
        assert second is None, "two together might cost more than that"
        first.close()
        assert made.order("data", None) is not None, "nobody was asked"

    asyncio.run(scenario())


def test_an_answer_that_is_given_up_keeps_what_was_set_aside() -> None:
    async def scenario() -> None:
        made = writer(Endpoint(*said("x", usage=None)), dollars_per_day=0.5, max_tokens=100, prompt="p" * 100)
        first = made.order("data", None)
        assert first is not None
        await first.more()
        first.close()
        assert made.order("data", None) is None

    asyncio.run(scenario())


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="`options` may not set `stream`"):
        writer(Endpoint(), options={"stream": False})
    with pytest.raises(ConfigError, match="add one for 'tiny' to `prices`"):
        writer(Endpoint(), dollars_per_day=1.0, price=lambda prompt, completion: None)


def test_an_answer_is_whole_once_its_server_says_so_though_it_never_closes() -> None:
    class Hanging(Endpoint):
        async def more(self) -> bytes:
            return await super().more() if self.pieces else await asyncio.get_running_loop().create_future()

    async def scenario() -> None:
        endpoint = Hanging(*said("At 11."), b"data: [DONE]\n\n")
        writing = writer(endpoint).order("data", None)
        assert writing is not None
        assert await asyncio.wait_for(whole(writing), 5) == "At 11."
        writing.close()
        assert endpoint.closed == 1

    asyncio.run(scenario())
