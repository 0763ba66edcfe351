"""A class of the user's own as an embedder: made from a module on the path, asked, and never trusted with the text."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from gateway.embedders.python import PythonEmbedder
from gateway.embedders.queue import BoundedEmbedder
from gateway.errors import ConfigError, EmbedError, TextUnfit

T = TypeVar("T")

MODULE = """
import sys, threading
from gateway.errors import EmbedError, TextUnfit

class Plain:
    def __init__(self, size=8):
        self.size = size
        self.threads = set()
    def embed(self, text):
        self.threads.add(threading.get_ident())
        return [float(len(text))] + [1.0] * (self.size - 1)

class Versioned(Plain):
    dimensions = 8
    version = "2"

class Async(Plain):
    async def embed(self, text):
        return super().embed(text)
    async def close(self):
        self.size = 0

class Closing(Plain):
    closed_on = None
    def close(self):
        Closing.closed_on = threading.current_thread().name

class BadClose(Plain):
    def close(self):
        raise OSError("disk")

class Raises(Plain):
    error = None
    def embed(self, text):
        raise self.error

class RaisesAsync(Raises):
    async def embed(self, text):
        raise self.error

class Answers(Plain):
    answer = None
    def embed(self, text):
        return self.answer

class NoMethod:
    pass

class Exits:
    def __init__(self):
        sys.exit(3)

class RefusesKey:
    def __init__(self, api_key, mode):
        raise KeyError(f"no such key: {api_key!r}, nor a timeout")

class Slow(Plain):
    def __init__(self):
        self.begun, self.released, self.texts = threading.Event(), threading.Event(), []
    def embed(self, text):
        self.texts.append(text)
        self.begun.set()
        assert self.released.wait(30)
        return [1.0, 2.0]
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    name = f"own_{tmp_path.name}".replace("-", "_").replace("[", "_").replace("]", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return importlib.import_module(name)


def using(embedder: PythonEmbedder, scenario: Callable[[PythonEmbedder], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        try:
            return await scenario(embedder)
        finally:
            await embedder.close()

    return asyncio.run(run())


@pytest.mark.parametrize("name", ["Plain", "Async", "Versioned"])
def test_a_class_answers_with_a_vector(module: Any, name: str) -> None:
    async def scenario(embedder: PythonEmbedder) -> None:
        vector = np.frombuffer(await embedder.embed("abc"), "<f4")
        assert vector == pytest.approx(np.array([3, 1, 1, 1]) / np.sqrt(12))
        await embedder.ping()
        assert embedder.dimensions == 4

    if name == "Versioned":
        module.Versioned.dimensions = 4
    using(PythonEmbedder(cls=f"{module.__name__}:{name}", options={"size": 4}), scenario)


def test_a_sync_class_runs_on_one_thread_of_its_own(module: Any) -> None:
    async def scenario(embedder: PythonEmbedder) -> None:
        texts = ["x" * number for number in range(1, 51)]
        together = await asyncio.gather(*(embedder.embed(text) for text in texts))
        assert together == [await embedder.embed(text) for text in texts]
        threads = embedder._instance.threads
        assert len(threads) == 1
        assert threading.get_ident() not in threads

    using(PythonEmbedder(cls=f"{module.__name__}:Plain"), scenario)


def test_a_text_whose_waiter_left_before_its_turn_is_never_computed(module: Any) -> None:
    async def scenario(embedder: PythonEmbedder) -> None:
        bounded = BoundedEmbedder(embedder, queue=2)
        await bounded.open()
        slow = embedder._instance
        first = asyncio.create_task(bounded.embed("first"))
        await asyncio.to_thread(slow.begun.wait, 30)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await bounded.embed("second")
        third = asyncio.create_task(bounded.embed("third"))
        await asyncio.sleep(0.01)
        slow.released.set()
        await asyncio.gather(first, third)
        assert slow.texts == ["first", "third"]

    using(PythonEmbedder(cls=f"{module.__name__}:Slow"), scenario)


def test_the_space_is_the_class_its_version_and_its_options(module: Any) -> None:
    async def identity(embedder: PythonEmbedder) -> str:
        with pytest.raises(EmbedError, match="not open"):
            _ = embedder.identity
        await embedder.open()
        return embedder.identity

    def space(name: str, **options: Any) -> str:
        return using(PythonEmbedder(cls=f"{module.__name__}:{name}", options=options), identity)

    assert space("Plain", size=8) == space("Plain", size=8)
    assert len({space("Plain"), space("Plain", size=8), space("Plain", size=9), space("Versioned")}) == 4
    before = space("Versioned")
    module.Versioned.version = "3"
    assert space("Versioned") != before


def test_options_are_not_readable_in_the_space(module: Any) -> None:
    async def identity(embedder: PythonEmbedder) -> str:
        await embedder.open()
        return embedder.identity

    assert "sk-secret" not in using(
        PythonEmbedder(cls=f"{module.__name__}:Plain", options={"size": "sk-secret"}), identity
    )


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Raises", ValueError("tell me a secret")),
        ("Raises", StopIteration("tell me a secret")),  # a future would not carry it
        ("RaisesAsync", ValueError("tell me a secret")),
        ("RaisesAsync", OSError(5, "tell me a secret")),
    ],
)
def test_what_a_class_raises_is_an_error_that_names_the_class_and_not_the_text(
    module: Any, name: str, error: Exception
) -> None:
    module.Raises.error = error

    async def scenario(embedder: PythonEmbedder) -> None:
        with pytest.raises(EmbedError, match=f":{name}' raised {type(error).__name__}$") as caught:
            await embedder.embed("tell me a secret")
        assert "tell me a secret" not in str(caught.value)
        assert caught.value.__suppress_context__  # so that a logged traceback does not show the text either

    using(PythonEmbedder(cls=f"{module.__name__}:{name}"), scenario)


def test_a_class_that_tries_to_exit_does_not(module: Any) -> None:
    module.Raises.error = SystemExit(3)

    async def scenario(embedder: PythonEmbedder) -> None:
        for _ in range(2):  # the thread is still there
            with pytest.raises(EmbedError, match="raised SystemExit"):
                await embedder.embed("question")

    using(PythonEmbedder(cls=f"{module.__name__}:Raises"), scenario)


def test_a_class_can_say_that_a_text_is_too_long_and_that_it_cannot_now(module: Any) -> None:
    async def scenario(embedder: PythonEmbedder) -> None:
        module.Raises.error = TextUnfit("300 words")
        with pytest.raises(TextUnfit):
            await embedder.embed("question")
        module.Raises.error = EmbedError("the model is loading")
        with pytest.raises(EmbedError, match="the model is loading"):
            await embedder.embed("question")

    using(PythonEmbedder(cls=f"{module.__name__}:Raises"), scenario)


@pytest.mark.parametrize("answer", [None, [], [0.0, 0.0], [float("nan")], "text", [["a"]], {"a": 1.0}, [[1.0, 2.0]]])
def test_a_wrong_answer_is_an_error_that_names_the_class(module: Any, answer: object) -> None:
    module.Answers.answer = answer

    async def scenario(embedder: PythonEmbedder) -> None:
        with pytest.raises(EmbedError, match=":Answers'"):
            await embedder.embed("question")

    using(PythonEmbedder(cls=f"{module.__name__}:Answers"), scenario)


def test_an_answer_of_another_size_than_promised_or_given_before_is_an_error(module: Any) -> None:
    async def scenario(embedder: PythonEmbedder) -> None:
        with pytest.raises(EmbedError, match="5 dimensions where 8"):
            await embedder.embed("question")

    using(PythonEmbedder(cls=f"{module.__name__}:Versioned", options={"size": 5}), scenario)


def test_numpy_arrays_are_fine_answers(module: Any) -> None:
    module.Answers.answer = np.array([3.0, 4.0], dtype=np.float16)

    async def scenario(embedder: PythonEmbedder) -> bytes:
        return await embedder.embed("question")

    vector = using(PythonEmbedder(cls=f"{module.__name__}:Answers"), scenario)
    assert np.frombuffer(vector, "<f4").tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("Missing", {}, "AttributeError: .*Missing"),
        ("Plain", {"colour": "red"}, "TypeError: .*colour"),
        ("NoMethod", {}, "has no method `embed`"),
        ("Exits", {}, "SystemExit"),
    ],
)
def test_a_class_that_cannot_be_made_says_why(module: Any, name: str, options: dict[str, Any], says: str) -> None:
    async def scenario(embedder: PythonEmbedder) -> None:
        with pytest.raises(EmbedError, match=says):
            await embedder.open()

    using(PythonEmbedder(cls=f"{module.__name__}:{name}", options=options), scenario)


def test_an_option_is_not_repeated_in_what_is_wrong_with_it(module: Any) -> None:
    async def scenario(embedder: PythonEmbedder) -> None:
        with pytest.raises(EmbedError, match=r"KeyError: .*\*\*\*.*timeout") as caught:
            await embedder.open()
        assert "sk-secret" not in str(caught.value)

    options = {"api_key": "sk-secret-0123", "mode": "a"}
    using(PythonEmbedder(cls=f"{module.__name__}:RefusesKey", options=options), scenario)


def test_a_module_that_is_not_there_says_so() -> None:
    async def scenario(embedder: PythonEmbedder) -> None:
        with pytest.raises(EmbedError, match="No module named 'no_such_package'"):
            await embedder.embed("question")

    using(PythonEmbedder(cls="no_such_package.embed:Mine"), scenario)


@pytest.mark.parametrize("cls", ["package.module.Class", "module:", ":Class", "a b:C", "module:Class()", "m:a.b", ""])
def test_a_name_in_another_form_is_a_configuration_error(cls: str) -> None:
    with pytest.raises(ConfigError, match=r"package.module:Class"):
        PythonEmbedder(cls=cls)


def test_a_class_is_closed_on_its_own_thread(module: Any) -> None:
    async def scenario(embedder: PythonEmbedder) -> None:
        await embedder.open()

    using(PythonEmbedder(cls=f"{module.__name__}:Closing"), scenario)
    assert module.Closing.closed_on == f"python embedder '{module.__name__}:Closing'"


def test_a_class_that_fails_to_close_is_an_error_and_closed_all_the_same(module: Any) -> None:
    async def scenario() -> None:
        embedder = PythonEmbedder(cls=f"{module.__name__}:BadClose")
        await embedder.open()
        with pytest.raises(EmbedError, match="raised OSError"):
            await embedder.close()
        with pytest.raises(EmbedError, match="closed"):
            await embedder.embed("question")

    asyncio.run(scenario())
