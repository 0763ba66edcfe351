"""The cache by hand: the same for programs with and without an event loop, in threads, loops, forks and processes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import Found, SemanticCache, SemgateError, SyncSemanticCache
from gateway.errors import ConfigError, StoreError

ASKED = "How do I reset my password?"
NEAR = "how can I reset my password"
NEGATED = "How do I enable two-factor authentication?", "How do I disable two-factor authentication?"
JSON = {"text": "Caf\u00e9", "tokens": 3, "parts": [1.5, None, True, {}]}


class Waiting:
    """The asynchronous one without a loop of its own: a new one for each call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._cache = SemanticCache(*args, **kwargs)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return await getattr(self._cache, name)(*args, **kwargs)

        return lambda *args, **kwargs: asyncio.run(call(*args, **kwargs))


@pytest.fixture(scope="module", params=[SyncSemanticCache, Waiting])
def made(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def cache(made: Callable[..., Any]) -> Any:
    return made()


@pytest.fixture
def scope(request: pytest.FixtureRequest) -> str:
    """A test's own."""
    return hashlib.sha256(request.node.nodeid.encode()).hexdigest()


def answers(found: list[Found]) -> list[object]:
    return [each.answer for each in found]


@pytest.mark.parametrize("answer", ["an answer \u2713", "", b"\x00\xff", b"", JSON, [], 7, None, True, "7"])
def test_an_answer_comes_back_as_it_was(cache: Any, scope: str, answer: object) -> None:
    kept = cache.set(ASKED, answer, scope=scope)
    (found,) = cache.search(ASKED, scope=scope)
    assert (found.id, found.question, found.answer) == (kept, ASKED, answer)
    assert type(found.answer) is type(answer)


def test_words_that_mean_the_same_are_found_and_say_how_near(cache: Any, scope: str) -> None:
    before = time.time()
    kept = cache.set(ASKED, "by mail", scope=scope, ttl="1h", tags=["faq"], attributes={"lang": "en"})
    (same,) = cache.search(ASKED, scope=scope)
    assert (same.kind, same.similarity, same.score) == ("exact", 1.0, None)
    (near,) = cache.search(NEAR, scope=scope)
    assert (near.id, near.question, near.kind, near.tags) == (kept, ASKED, "verified", ("faq",))
    assert near.attributes == {"lang": "en"}
    assert 0.9 < near.similarity < 1 and near.score is not None and near.score > 0.8
    assert before <= near.created_at <= time.time()
    assert near.expires_at == pytest.approx(near.created_at + 3600)
    assert cache.search("What is the weather in Lisbon?", scope=scope) == []


def test_words_that_mean_the_opposite_are_not(cache: Any, scope: str) -> None:
    cache.set(NEGATED[0], "in the settings", scope=scope)
    assert cache.search(NEGATED[1], scope=scope) == []
    assert cache.search(NEGATED[1], scope=scope, threshold=0.1) == []  # whatever similarity would do


def test_a_threshold_counts_for_one_search(cache: Any, scope: str) -> None:
    cache.set(ASKED, "by mail", scope=scope)
    (near,) = cache.search(NEAR, scope=scope)
    assert cache.search(NEAR, scope=scope, threshold=near.similarity + 0.001) == []
    assert answers(cache.search(NEAR, scope=scope, threshold=near.similarity - 0.001)) == ["by mail"]


def test_scopes_contexts_and_attributes_keep_answers_apart(cache: Any, scope: str) -> None:
    context = {"model": "small", "temperature": 0}
    cache.set(ASKED, "plain", scope=scope)
    cache.set(ASKED, "with context", scope=scope, context=context)
    cache.set(ASKED, "with attributes", scope=scope, attributes={"lang": "en", "plan": "pro"})
    cache.set(ASKED, "elsewhere", scope=scope + "2")
    for asked in (ASKED, NEAR):
        assert answers(cache.search(asked, scope=scope + "2", limit=9)) == ["elsewhere"]
        assert answers(cache.search(asked, scope=scope, limit=9)) == ["plain", "with attributes"]
        same = {"temperature": 0, "model": "small"}
        assert answers(cache.search(asked, scope=scope, context=same, limit=9)) == ["with context"]
        for other in ({**context, "temperature": 1}, "small", b"small", [], {}):
            assert cache.search(asked, scope=scope, context=other, limit=9) == []
        assert answers(cache.search(asked, scope=scope, attributes={"lang": "en"}, limit=9)) == ["with attributes"]
        assert cache.search(asked, scope=scope, attributes={"lang": "de"}, limit=9) == []
    assert cache.search(ASKED) == cache.search(ASKED, scope="") == []


def test_the_same_question_again_replaces_its_answer(cache: Any, scope: str) -> None:
    first, second = cache.set(ASKED, "old", scope=scope), cache.set(ASKED, "new", scope=scope)
    assert first != second
    assert answers(cache.search(ASKED, scope=scope, limit=9)) == ["new"]
    assert cache.delete(first) is False


def test_what_is_deleted_or_purged_is_gone(cache: Any, scope: str) -> None:
    one = cache.set(ASKED, "one", scope=scope, tags=[scope, "more"])
    cache.set(NEGATED[0], "two", scope=scope, attributes={"plan": "pro"})
    assert (cache.delete(one), cache.delete(one), cache.delete("no such id"), cache.delete("\0")) == (True,) + (
        False,
    ) * 3
    assert cache.search(ASKED, scope=scope) == []

    cache.set(ASKED, "one again", scope=scope, tags=[scope, "more"])
    assert cache.purge(tags=[scope, "unknown"]) == 1
    assert cache.purge(scope=scope, older_than="1h") == cache.purge(scope=scope, older_than=60) == 0
    assert cache.purge(scope=scope, attributes={"plan": "free"}) == 0
    assert cache.purge(scope=scope, similar_to=("What is the weather?", 0.5)) == 0
    assert answers(cache.search(NEGATED[0], scope=scope)) == ["two"]
    assert cache.purge(scope=scope, attributes={"plan": "pro"}) == 1
    cache.set(ASKED, "one more", scope=scope)
    assert cache.purge(scope=scope, similar_to=NEAR) == 1
    cache.set(ASKED, "the last", scope=scope)
    assert cache.purge(scope=scope) == 1
    assert cache.search(ASKED, scope=scope) == []


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda cache: cache.set(7, "x"), TypeError, "`question` is text, not int"),
        (lambda cache: cache.search(None), TypeError, "`question` is text, not NoneType"),
        (lambda cache: cache.set(ASKED, object()), TypeError, "object is not JSON serializable"),
        (lambda cache: cache.set(ASKED, float("nan")), ValueError, "JSON"),
        (lambda cache: cache.set(ASKED, "x", ttl=0), ValueError, "`ttl` is above 0"),
        (lambda cache: cache.set(ASKED, "x", ttl=float("nan")), ValueError, "`ttl` is above 0 and up to 3650 days"),
        (lambda cache: cache.set(ASKED, "x", ttl="99999d"), ValueError, "`ttl`"),
        (lambda cache: cache.purge(older_than=-1), ValueError, "`older_than` is not below 0"),
        (lambda cache: cache.set(ASKED, "x", ttl="soon"), ValueError, "`ttl` is .*or a number of seconds"),
        (lambda cache: cache.set(ASKED, "x", tags="faq"), TypeError, "`tags` is a list of texts"),
        (lambda cache: cache.set(ASKED, "x", tags=["t" * 300]), ValueError, "`tags` are too many, or one is too long"),
        (lambda cache: cache.set(ASKED, "x", attributes={"": "x"}), ValueError, "an attribute has a name"),
        (lambda cache: cache.search(ASKED, attributes={"a": "x" * 2000}), ValueError, "at most 1024 characters"),
        (lambda cache: cache.search(ASKED, threshold=1.1), ValueError, "`threshold` is a similarity from 0 to 1"),
        (lambda cache: cache.search(ASKED, limit=0), ValueError, "`limit` is 1 to 1000"),
        (lambda cache: cache.search(ASKED, limit=10**30), ValueError, "`limit` is 1 to 1000"),
        (lambda cache: cache.search(ASKED, limit=1.5), TypeError, "`limit` is a whole number, not float"),
        (lambda cache: cache.search(ASKED, threshold="0.9"), TypeError, "`threshold` is a number, not str"),
        (lambda cache: cache.search(ASKED, scope=None), TypeError, "`scope` is text, not NoneType"),
        (lambda cache: cache.set(ASKED, "x", scope=7), TypeError, "`scope` is text, not int"),
        (lambda cache: cache.set(ASKED, "x", ttl=[]), TypeError, "`ttl` is a number of seconds"),
        (lambda cache: cache.set(ASKED, "x", tags=[7]), TypeError, "`tags` is a list of texts"),
        (lambda cache: cache.set(ASKED, "x", attributes={"a": 7}), TypeError, "`attributes` are texts"),
        (lambda cache: cache.set(ASKED, "x", attributes="a"), TypeError, "`attributes` is a mapping of texts"),
        (lambda cache: cache.delete(None), TypeError, "`entry_id` is text, not NoneType"),
        (lambda cache: cache.purge(scope=7), TypeError, "`scope` is text, not int"),
        (lambda cache: cache.purge(tags=[7]), TypeError, "`tags` is a list of texts"),
        (lambda cache: cache.purge(tags=["a\0b"]), ValueError, "no text"),
        (lambda cache: cache.purge(similar_to=("a", "b")), ValueError, "`similar_to` is a text"),
        (lambda cache: cache.purge(tags=[]), ValueError, "`tags` is empty"),
        (lambda cache: cache.purge(tags="faq"), TypeError, "`tags` is a list of texts"),
        (lambda cache: cache.purge(similar_to=" "), ValueError, "`similar_to` is a text"),
        (lambda cache: cache.purge(attributes={"a": "b"}), ValueError, "go with `scope` and nothing else"),
        (lambda cache: cache.purge(scope="s", attributes={}), ValueError, "go with `scope` and nothing else"),
    ],
)  # fmt: skip
def test_wrong_use_is_an_error_that_says_what_is_wrong(
    cache: Any, call: Callable[[Any], object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        call(cache)


def test_what_a_user_may_have_typed_is_no_error(cache: Any, scope: str) -> None:
    assert cache.set("  ", "x", scope=scope) is None
    assert cache.search("", scope=scope) == cache.search("\ud800", scope=scope) == []
    assert cache.delete("\ud800") is cache.delete("\0") is cache.delete("") is False
    long = "word " * 2000  # longer than the model's window: found by its very words
    assert cache.set(long, "long", scope=scope) is not None
    assert answers(cache.search(long, scope=scope)) == ["long"]


def test_an_answer_that_is_too_large_is_not_kept_and_the_log_says_so(
    cache: Any, scope: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert cache.set(ASKED, "x" * (11 << 20), scope=scope) is None
    assert f"an answer of {11 << 20} bytes was not kept: too-large" in caplog.text


def test_one_object_serves_threads_and_loops_at_once(scope: str) -> None:
    plain, waited = SyncSemanticCache(), SemanticCache()
    plain.set(ASKED, "by mail", scope=scope)
    found: list[object] = []

    def in_a_thread() -> None:
        found.extend(answers(plain.search(ASKED, scope=scope)))
        found.extend(answers(asyncio.run(waited.search(ASKED, scope=scope))))

    threads = [threading.Thread(target=in_a_thread) for _ in range(4)]
    for thread in threads:
        thread.start()

    async def in_a_loop() -> None:
        for searched in await asyncio.gather(*(waited.search(NEAR, scope=scope) for _ in range(20))):
            found.extend(answers(searched))
        found.extend(answers(plain.search(NEAR, scope=scope)))  # as in a notebook, where a loop runs always

    asyncio.run(in_a_loop())
    for thread in threads:
        thread.join()
    assert found == ["by mail"] * 29


def test_a_search_can_be_given_up(scope: str) -> None:
    async def scenario() -> None:
        cache = SemanticCache()
        await cache.set(ASKED, "by mail", scope=scope)
        searching = asyncio.create_task(cache.search(NEAR, scope=scope))
        await asyncio.sleep(0)
        searching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await searching
        assert answers(await cache.search(NEAR, scope=scope)) == ["by mail"]

    asyncio.run(scenario())


def test_the_child_of_a_fork_has_the_same_cache(scope: str) -> None:
    cache = SyncSemanticCache()
    cache.set(ASKED, "by the parent", scope=scope)
    child = os.fork()
    if child == 0:
        right = answers(cache.search(NEAR, scope=scope)) == ["by the parent"]
        cache.set("Is this the child?", "yes", scope=scope)
        os._exit(0 if right else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert answers(cache.search("Is this the child?", scope=scope)) == ["yes"]


PROGRAM = """
import sys
from gateway import SyncSemanticCache

cache, scope = SyncSemanticCache(), sys.argv[1]
print(cache.search("How do I reset my password?", scope=scope)[0].answer)
cache.set("How do I reset my password?", "replaced", scope=scope)
print(cache.purge(scope=scope + "2"))
"""


def test_what_another_process_does_is_seen_at_once_and_it_ends_at_once(scope: str) -> None:
    cache = SyncSemanticCache()
    cache.set(ASKED, "kept", scope=scope)
    cache.set(ASKED, "to be purged", scope=scope + "2")
    cache.search(ASKED, scope=scope)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, scope], capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "kept\n1\n", "")
    assert answers(cache.search(ASKED, scope=scope)) == ["replaced"]
    assert cache.search(ASKED, scope=scope + "2") == []


def test_closing_one_leaves_others_open_and_a_closed_one_opens_again(scope: str) -> None:
    async def scenario() -> None:
        settings = {"server": {"namespace": scope[:16]}}
        other = SemanticCache(settings)
        async with SemanticCache(settings) as cache:
            await cache.set(ASKED, "by mail", scope=scope)
            await other.open()
        assert answers(await other.search(ASKED, scope=scope)) == ["by mail"]
        await asyncio.gather(other.close(), other.close())
        await other.close()
        assert answers(await cache.search(ASKED, scope=scope)) == ["by mail"]
        with SyncSemanticCache(settings) as plain:
            assert answers(plain.search(ASKED, scope=scope)) == ["by mail"]
        busy = asyncio.gather(*(other.search(ASKED, scope=scope) for _ in range(20)))
        await asyncio.gather(cache.close(), other.close())
        assert [answers(found) for found in await busy] == [["by mail"]] * 20
        await other.close()

    asyncio.run(scenario())


ROUTES = """
version: 1
server: {{listen: 127.0.0.1:1, data_dir: "{folder}", namespace: {scope}}}
clients: [{{name: web, key: a-key-that-is-long-enough}}]
routes:
  - {{name: faq, path: "/faq/{{tenant}}/*", kind: cache, scope: "path:tenant", ttl: 1h, verify: none, thresholds: {{hit: 0.9}}}}
  - {{name: kv, path: "/kv/{{id}}/*", kind: cache, scope: public, match: exact}}
"""


@pytest.fixture
def routes(tmp_path: Path, data_dir: Path, scope: str) -> Iterator[Path]:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES.format(folder=data_dir, scope=scope[:16]))
    yield path


def test_a_routes_file_is_shared_with_a_gateway(made: Callable[..., Any], routes: Path) -> None:
    with pytest.raises(ConfigError, match=r"`route`: it must name a route of `kind: cache`, and there are faq, kv"):
        made(routes)
    with pytest.raises(ConfigError, match="no route of `kind: cache` has the name chat; there are faq, kv"):
        made(routes, route="chat")
    faq, exact = made(routes, route="faq"), made(str(routes), route="kv")
    faq.set(ASKED, "by mail", scope="acme")
    (near,) = faq.search(NEAR, scope="acme")
    assert (near.kind, near.expires_at - near.created_at) == ("semantic", pytest.approx(3600))
    assert faq.search(ASKED) == []
    exact.set(ASKED, "by mail")
    assert answers(exact.search(ASKED)) == ["by mail"]
    assert exact.search(NEAR) == []
    with pytest.raises(ValueError, match="the route kv has `scope: public`, so 'acme' is no scope of it"):
        exact.search(ASKED, scope="acme")
    faq.close()
    exact.close()


def test_settings_are_python_objects_of_which_only_what_differs_is_written(
    made: Callable[..., Any], scope: str
) -> None:
    settings = {
        "deny": [{"text": "Who is the boss?", "name": "bosses"}],
        "routes": [{"name": "faq", "ttl": "1h"}, {"name": "kv", "max_body": "1KiB"}],
    }
    faq, small = made(settings, route="faq"), made(settings, route="kv")
    faq.set(ASKED, "by mail", scope=scope)
    assert faq.search(NEAR, scope=scope)[0].expires_at < time.time() + 3601
    assert small.search(ASKED, scope=scope) == []
    assert small.set(ASKED, "x" * 1025, scope=scope) is None
    assert faq.set("who is the boss", "nobody", scope=scope) is None
    assert faq.search("who is the boss", scope=scope) == []
    faq.close()
    small.close()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"routes": [{"name": "faq", "tll": "1h"}]}, r"routes\[0\].*tll.*did you mean `ttl`"),
        ({"routes": [{"name": "faq", "query": "$.q"}]}, "`query` has no effect with `kind: cache`"),
        ({"routes": []}, "routes"),
        ({"routes": 7}, "routes"),
        ({"server": {"listen": "127.0.0.1:1"}}, "`listen` has no effect inside a program"),
        (
            {"routes": [{"name": "chat", "kind": "proxy", "path": "/chat", "scope": "public", "query": "$.q"}]},
            "`kind: proxy` has no effect here: requests are answered by a middleware or a transport",
        ),
        ("no/such/file.yaml", "no/such/file.yaml"),
    ],
)
def test_settings_that_cannot_be_used_are_told_when_the_object_is_made(settings: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SemanticCache(settings)


def test_trouble_finds_and_keeps_nothing_and_only_deleting_and_purging_raise(
    made: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stores = {"postgres": {"url": "postgresql:///nowhere?host=/nonexistent"}}
    cache = made({"stores": stores, "server": {"digest_key": "k" * 32}})
    with caplog.at_level(logging.WARNING, "semgate"):
        assert cache.search(ASKED) == []
        assert cache.set(ASKED, "x") is None
    assert "postgres" in caplog.text
    for call in (lambda: cache.delete("id"), cache.purge, lambda: cache.purge(scope="s", attributes={"a": "b"})):
        with pytest.raises(StoreError) as raised:
            call()
        assert isinstance(raised.value, SemgateError)
    for _ in range(20):
        cache.search(ASKED)
    assert len([record for record in caplog.records if record.name == "semgate"]) < 20  # it is left alone for a while
    cache.close()
