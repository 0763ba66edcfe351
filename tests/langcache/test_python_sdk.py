"""LangCache's Python SDK, as it comes, against a route of `kind: cache`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest
from langcache import LangCache, errors
from langcache.models import CacheEntry, SearchStrategy
from running import Gateway

PASSWORD = "How do I reset my password?"
PASSWORD_OTHERWISE = "How can I reset my password?"
FORGOT = "Click on 'Forgot password'."
ENABLE, DISABLE = "How do I enable two-factor authentication?", "How do I disable two-factor authentication?"


def at(gateway: Gateway, path: str, cache_id: str, key: str = "a-key", **headers: str) -> Iterator[LangCache]:
    client = httpx.Client(headers=headers)
    with client, LangCache(server_url=gateway.url + path, cache_id=cache_id, api_key=key, client=client) as cache:
        yield cache


@pytest.fixture
def near(gateway: Gateway, cache_id: str) -> Iterator[LangCache]:
    yield from at(gateway, "/near", cache_id)


def test_what_was_put_is_found_by_other_words(cache: LangCache) -> None:
    assert cache.search(prompt=PASSWORD).data == []
    entry_id = cache.set(prompt=PASSWORD, response=FORGOT).entry_id
    (found,) = cache.search(prompt=PASSWORD_OTHERWISE).data
    assert (found.id, found.prompt, found.response, found.attributes) == (entry_id, PASSWORD, FORGOT, {})
    assert found.search_strategy is SearchStrategy.SEMANTIC
    assert 0.9 < found.similarity < 1
    assert len(entry_id) == 32
    assert int(entry_id, 16)


def test_the_same_words_are_found_by_each_strategy(cache: LangCache) -> None:
    cache.set(prompt=PASSWORD, response=FORGOT)
    exact, semantic = SearchStrategy.EXACT, SearchStrategy.SEMANTIC
    for strategies, said in (
        (None, semantic),
        ([semantic], semantic),
        ([exact], exact),
        ([exact, semantic], exact),
        ([semantic, exact], semantic),
    ):
        (found,) = cache.search(prompt=PASSWORD, search_strategies=strategies).data
        assert (found.similarity, found.search_strategy) == (1.0, said)
    assert cache.search(prompt=PASSWORD_OTHERWISE, search_strategies=[exact]).data == []
    (found,) = cache.search(prompt=PASSWORD_OTHERWISE, search_strategies=[exact, semantic]).data
    assert found.search_strategy is semantic


def test_a_threshold_is_a_similarity_and_alone_decides(cache: LangCache) -> None:
    cache.set(prompt=ENABLE, response="In the settings, under Security.")
    assert cache.search(prompt=DISABLE).data == []  # near, and another question: the second opinion says so
    (found,) = cache.search(prompt=DISABLE, similarity_threshold=0.8).data
    assert found.similarity >= 0.8
    assert cache.search(prompt=DISABLE, similarity_threshold=0.999).data == []
    assert cache.search(prompt=ENABLE, similarity_threshold=1.0).data[0].similarity == 1.0


def test_without_a_second_opinion_the_route_s_threshold_stands_in(near: LangCache) -> None:
    near.set(prompt=ENABLE, response="In the settings, under Security.")
    (found,) = near.search(prompt=DISABLE).data
    assert found.similarity >= 0.8
    assert near.search(prompt="What is the capital of France?").data == []
    assert len(near.search(prompt="What is the capital of France?", similarity_threshold=0.0).data) == 1


def test_attributes_filter_and_keep_entries_apart(cache: LangCache) -> None:
    cache.set(prompt=PASSWORD, response="for the web", attributes={"product": "web", "lang": "en"})
    cache.set(prompt=PASSWORD, response="for the app", attributes={"product": "app", "lang": "en"})

    def responses(**attributes: str) -> set[str]:
        return {each.response for each in cache.search(prompt=PASSWORD, attributes=attributes, max_results=10).data}

    assert responses(product="web") == {"for the web"}
    assert responses(product="app", lang="en") == {"for the app"}
    assert responses(lang="en") == responses() == {"for the web", "for the app"}
    assert responses(lang="de") == set()
    (found,) = cache.search(prompt=PASSWORD_OTHERWISE, attributes={"product": "app"}).data
    assert found.attributes == {"product": "app", "lang": "en"}


def test_what_is_put_again_replaces_what_was_there(cache: LangCache) -> None:
    cache.set(prompt=PASSWORD, response="old", attributes={"lang": "en"})
    cache.set(prompt=PASSWORD, response="new", attributes={"lang": "en"})
    assert [each.response for each in cache.search(prompt=PASSWORD, max_results=10).data] == ["new"]


def test_the_best_come_first_and_no_more_than_were_asked_for(cache: LangCache) -> None:
    for prompt in (PASSWORD_OTHERWISE, PASSWORD, "How do I reset my password again?"):
        cache.set(prompt=prompt, response=prompt)

    def found(limit: int | None) -> list[CacheEntry]:
        return cache.search(prompt=PASSWORD, similarity_threshold=0.7, max_results=limit).data

    assert [each.prompt for each in found(None)] == [PASSWORD]
    assert len(found(2)) == 2
    everything = found(100)
    assert len({each.id for each in everything}) == len(everything) == 3
    assert [each.similarity for each in everything] == sorted((each.similarity for each in everything), reverse=True)


def test_an_entry_lives_as_long_as_it_says(cache: LangCache) -> None:
    cache.set(prompt=PASSWORD, response=FORGOT, ttl_millis=200)
    cache.set(prompt=ENABLE, response="In the settings.", ttl_millis=31_556_952_000)
    deadline = time.monotonic() + 10
    while cache.search(prompt=PASSWORD).data:
        assert time.monotonic() < deadline
    assert len(cache.search(prompt=ENABLE).data) == 1


def test_entries_go_by_id_by_attributes_and_all_at_once(cache: LangCache) -> None:
    first = cache.set(prompt=PASSWORD, response=FORGOT, attributes={"lang": "en"}).entry_id
    cache.set(prompt=ENABLE, response="In the settings.", attributes={"lang": "en", "topic": "security"})
    cache.set(prompt="Wie geht das?", response="So.", attributes={"lang": "de"})
    assert cache.delete_by_id(entry_id=first) is None
    assert cache.search(prompt=PASSWORD).data == []
    with pytest.raises(errors.NotFoundErrorResponseContent) as raised:
        cache.delete_by_id(entry_id=first)
    assert raised.value.data.type.value == "/errors/resource-not-found"
    assert cache.delete_query(attributes={"lang": "en", "topic": "billing"}).deleted_entries_count == 0
    assert cache.delete_query(attributes={"lang": "en"}).deleted_entries_count == 1
    cache.set(prompt=PASSWORD, response=FORGOT)
    assert cache.delete_query(attributes={}).deleted_entries_count == 2
    cache.set(prompt=PASSWORD, response=FORGOT)
    assert cache.flush() is None
    assert cache.search(prompt=PASSWORD).data == []
    cache.set(prompt=PASSWORD, response=FORGOT)  # a cache is there again as soon as it is used
    assert len(cache.search(prompt=PASSWORD).data) == 1


def test_any_text_comes_back_as_it_was(cache: LangCache) -> None:
    response = 'Zeile 1\nZeile 2\t"ü" \\ 🙂 \u2028 \u0000 end'
    cache.set(prompt="¿Dónde está la biblioteca? 🙂\u0000", response=response, attributes={"sprache": "español 🙂"})
    (found,) = cache.search(prompt="¿Dónde está la biblioteca? 🙂\u0000", attributes={"sprache": "español 🙂"}).data
    assert found.response == response
    cache.set(prompt="no answer", response="")
    assert cache.search(prompt="no answer").data[0].response == ""


def test_the_asynchronous_client_has_the_same(gateway: Gateway, cache_id: str) -> None:
    asyncio.run(ask_asynchronously(gateway.url, cache_id))


def test_a_prompt_too_long_for_the_model_is_found_by_its_own_words(cache: LangCache) -> None:
    digits = " ".join(str(number % 10) for number in range(512))
    cache.set(prompt=digits, response="ten, again and again")
    assert cache.search(prompt=digits).data[0].similarity == 1
    assert cache.search(prompt=digits[:-1] + "7", similarity_threshold=0.0).data == []


async def ask_asynchronously(url: str, cache_id: str) -> None:
    async with LangCache(server_url=url, cache_id=cache_id, api_key="a-key") as cache:
        put = await asyncio.gather(
            *(cache.set_async(prompt=f"What is {number}?", response=str(number)) for number in range(12))
        )
        assert len({each.entry_id for each in put}) == 12
        found = await asyncio.gather(
            *(cache.search_async(prompt=f"What is {number}?", similarity_threshold=1.0) for number in range(12))
        )
        assert [each.data[0].response for each in found] == [str(number) for number in range(12)]
        talk = await cache.conversational_search_async(prompt="What is 7?", context=[])
        assert (talk.actual_prompt, talk.data[0].response) == ("What is 7?", "7")
        await cache.delete_by_id_async(entry_id=put[0].entry_id)
        assert (await cache.delete_query_async(attributes={})).deleted_entries_count == 11
        await cache.flush_async()
        with pytest.raises(errors.BadRequestErrorResponseContent):
            await cache.search_async(prompt="")


def test_the_same_put_at_once_leaves_one_entry(gateway: Gateway, cache_id: str, cache: LangCache) -> None:
    async def put() -> None:
        async with LangCache(server_url=gateway.url, cache_id=cache_id, api_key="a-key") as client:
            await asyncio.gather(*(client.set_async(prompt=PASSWORD, response=str(number)) for number in range(8)))

    asyncio.run(put())
    assert len(cache.search(prompt=PASSWORD, max_results=100).data) == 1


def test_every_field_that_is_wrong_is_named(cache: LangCache) -> None:
    with pytest.raises(errors.BadRequestErrorResponseContent) as raised:
        cache.search(prompt="x" * 1025, similarity_threshold=1.1, max_results=0, attributes={"a b": "c,d"})
    data = raised.value.data
    assert (data.status, data.type.value) == (400, "/errors/invalid-data")
    assert data.fields is not None
    assert {(each.field, each.rule) for each in data.fields} == {
        ("prompt", "maxLength"),
        ("similarityThreshold", "range"),
        ("maxResults", "range"),
        ("attributes.a b", "pattern"),
    }
    for wrong in (
        {"prompt": PASSWORD, "response": FORGOT, "ttl_millis": 0},
        {"prompt": PASSWORD, "response": FORGOT, "ttl_millis": 31_556_952_001},
        {"prompt": PASSWORD, "response": FORGOT, "attributes": {str(number): "x" for number in range(6)}},
        {"prompt": PASSWORD, "response": FORGOT, "attributes": {"a": "x" * 501}},
        {"prompt": PASSWORD, "response": FORGOT, "attributes": {"a": ""}},
        {"prompt": " ", "response": FORGOT},
    ):
        with pytest.raises(errors.BadRequestErrorResponseContent):
            cache.set(**wrong)
