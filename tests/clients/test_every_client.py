"""One suite for all clients: each reads a miss and a hit alike, as a stream and as a single answer, and cannot tell them
apart but by headers. The first test asks the imitated API itself, so that a fault there is not looked for in semgate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import api_openai
import pytest
import speak_anthropic
import speak_curl
import speak_langchain
import speak_litellm
import speak_node
import speak_ollama
import speak_openai
from api_common import UNKNOWN_MODEL, Call, arguments, words
from apis import Apis
from running import Gateway
from speaking import OTHER_WORDS, TOOL, Ask, Heard, Question, Said, Speaker

Kept: TypeAlias = Callable[[Callable[[], Heard]], Heard]

MODULES = (speak_openai, speak_anthropic, speak_ollama, speak_langchain, speak_litellm, speak_node, speak_curl)
SPEAKERS: list[Speaker] = [speaker for module in MODULES for speaker in module.SPEAKERS]
# What semgate itself, and the server that it runs in, may say on a hit.
OWN = {
    "cache-status",
    "age",
    "x-cache",
    "x-cache-source",
    "x-cache-similarity",
    "x-cache-entry",
    "via",
    "date",
    "server",
}
ABOUT_THE_BODY = {"content-type", "content-length", "content-encoding", "transfer-encoding", "vary", "cache-control"}

every_client = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)
every_client_with_tools = pytest.mark.parametrize(
    ("speaker", "tools"),
    [
        pytest.param(each, tools, id=f"{each.name}{' tools' * tools}")
        for each in SPEAKERS
        for tools in (False, True)[: 1 + each.tools]
    ],
)
every_client_of_choices = pytest.mark.parametrize(
    "speaker", [speaker for speaker in SPEAKERS if speaker.choices], ids=lambda speaker: speaker.name
)
every_client_of_chat = pytest.mark.parametrize(
    "speaker", [speaker for speaker in SPEAKERS if speaker.api is api_openai.chat], ids=lambda speaker: speaker.name
)
both_forms = pytest.mark.parametrize("stream", [False, True], ids=["single", "stream"])


def expected(call: Call, choices: int = 1) -> Said:
    """What the imitated model says in this call; texts only, without tools."""
    texts = ["".join(words(call, choice)) for choice in range(choices)]
    return Said(texts, [], ["stop"] * choices, (19, 100 + call.nth))


def meaning(said: Said) -> Any:
    return said.texts, said.calls, said.usage


@every_client_with_tools
@both_forms
def test_without_semgate_the_client_reads_the_imitated_api(
    speaker: Speaker, ask: Ask, apis: Apis, key: str, stream: bool, tools: bool
) -> None:
    heard = ask(apis.url, key, Question(stream=stream, tools=tools))
    (call,) = apis.asked[key]
    if tools:
        assert [(use.name, use.arguments) for use in heard.said.calls] == [
            (TOOL["name"], told) for told in arguments(call)
        ]
    else:
        assert meaning(heard.said) == meaning(expected(call))
    assert heard.cache is None
    assert speaker.private <= set(heard.headers)


@every_client_with_tools
@both_forms
def test_a_hit_is_the_miss_once_more(
    speaker: Speaker, ask: Ask, apis: Apis, gateway: Gateway, key: str, kept: Kept, stream: bool, tools: bool
) -> None:
    question = Question(stream=stream, tools=tools)
    miss = kept(lambda: ask(gateway.url, key, question))
    hit = ask(gateway.url, key, question)
    assert (miss.cache, hit.cache) == ("MISS", "HIT")
    assert apis.calls(key) == 1
    assert hit.parsed == miss.parsed
    assert hit.said == miss.said


@every_client_with_tools
def test_a_stream_is_answered_from_a_single_answer(
    speaker: Speaker, ask: Ask, apis: Apis, gateway: Gateway, key: str, kept: Kept, tools: bool
) -> None:
    miss = kept(lambda: ask(gateway.url, key, Question(tools=tools)))
    hit = ask(gateway.url, key, Question(stream=True, tools=tools))
    assert (miss.cache, hit.cache) == ("MISS", "HIT")
    assert apis.calls(key) == 1
    assert hit.said == miss.said


@every_client_with_tools
def test_a_single_answer_is_answered_from_a_stream(
    speaker: Speaker, ask: Ask, apis: Apis, gateway: Gateway, key: str, kept: Kept, tools: bool
) -> None:
    miss = kept(lambda: ask(gateway.url, key, Question(stream=True, tools=tools)))
    hit = ask(gateway.url, key, Question(tools=tools))
    assert (miss.cache, hit.cache) == ("MISS", "HIT")
    assert apis.calls(key) == 1
    assert hit.said == miss.said


@every_client_of_choices
@both_forms
def test_several_choices_come_back_in_both_forms(
    speaker: Speaker, ask: Ask, apis: Apis, gateway: Gateway, key: str, kept: Kept, stream: bool
) -> None:
    miss = kept(lambda: ask(gateway.url, key, Question(choices=3, stream=stream)))
    hits = [ask(gateway.url, key, Question(choices=3, stream=form)) for form in (stream, not stream)]
    assert [miss.cache, *(hit.cache for hit in hits)] == ["MISS", "HIT", "HIT"]
    (call,) = apis.asked[key]
    assert [hit.said for hit in hits] == [expected(call, choices=3)] * 2


@every_client_of_chat
def test_a_single_answer_from_a_stream_that_told_no_usage_can_be_read(
    speaker: Speaker, ask: Ask, apis: Apis, gateway: Gateway, key: str, kept: Kept
) -> None:
    miss = kept(lambda: ask(gateway.url, key, Question(stream=True, usage=False)))
    hit = ask(gateway.url, key, Question(usage=False))
    assert (miss.cache, hit.cache) == ("MISS", "HIT")
    assert (hit.said.texts, hit.said.ends) == (miss.said.texts, miss.said.ends)


@every_client
@both_forms
def test_other_words_get_the_same_answer(
    speaker: Speaker, ask: Ask, apis: Apis, gateway: Gateway, key: str, kept: Kept, stream: bool
) -> None:
    miss = kept(lambda: ask(gateway.url, key, Question(stream=stream)))
    hit = ask(gateway.url, key, Question(OTHER_WORDS, stream=stream))
    assert (hit.cache, hit.headers["x-cache-source"]) == ("HIT", "postgres")
    assert apis.calls(key) == 1
    assert hit.parsed == miss.parsed


@every_client
@both_forms
def test_a_hit_tells_nothing_about_the_first_caller(
    speaker: Speaker, ask: Ask, gateway: Gateway, key: str, kept: Kept, stream: bool
) -> None:
    miss = kept(lambda: ask(gateway.url, key, Question(stream=stream)))
    hit = ask(gateway.url, key, Question(stream=stream))
    assert speaker.private <= set(miss.headers)  # which a hit could have copied
    assert set(hit.headers) <= OWN | ABOUT_THE_BODY
    assert hit.headers["content-type"] == miss.headers["content-type"]
    assert "2025" not in hit.headers.get("date", "")  # when the imitated APIs say that it is


@every_client
@both_forms
def test_an_error_is_the_clients_own_and_is_not_kept(
    speaker: Speaker, ask: Ask, apis: Apis, gateway: Gateway, key: str, stream: bool
) -> None:
    raised = []
    for url in (apis.url, gateway.url, gateway.url):
        with pytest.raises(Exception) as caught:  # each client has an error of its own
            ask(url, key, Question(stream=stream, model=UNKNOWN_MODEL))
        raised.append(caught.value)
    assert apis.calls(key) == 3
    assert len({type(error) for error in raised}) == 1
    assert all(UNKNOWN_MODEL in str(error) for error in raised)
