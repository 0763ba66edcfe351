"""The local ONNX embedder with the shipped model, as it is."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_model import embed, using

import gateway.embedders
from gateway.embedders.onnx import OnnxEmbedder
from gateway.errors import EmbedError, TextUnfit

SHIPPED = Path(gateway.embedders.__file__).parent / "models" / "all-MiniLM-L6-v2"


def test_a_paraphrase_is_nearer_than_another_question() -> None:
    asked, paraphrase, other = embed(
        OnnxEmbedder(),
        "How do I reset my password?",
        "I forgot my password, how can I get a new one?",
        "What is the capital of France?",
    )
    assert asked @ paraphrase > 0.7 > 0.3 > asked @ other
    assert np.linalg.norm(asked) == pytest.approx(1.0, abs=1e-6)


def test_a_vector_does_not_depend_on_load() -> None:
    texts = [f"question {number} about " + "the weather in a big city " * (number % 9) for number in range(100)]

    async def scenario(embedder: OnnxEmbedder) -> None:
        together = await asyncio.gather(*(embedder.embed(text) for text in texts))
        alone = [await embedder.embed(text) for text in texts]
        assert together == alone

    using(OnnxEmbedder(), scenario)


def test_a_text_that_fills_the_window_fits_and_one_token_more_does_not() -> None:
    async def scenario(embedder: OnnxEmbedder) -> None:
        assert len(await embedder.embed("word " * 254)) == 4 * 384  # and two special tokens: 256
        for count in (255, 10_000):
            with pytest.raises(TextUnfit):
                await embedder.embed("word " * count)

    using(OnnxEmbedder(), scenario)


def test_the_window_can_be_narrowed_but_not_widened() -> None:
    async def narrow(embedder: OnnxEmbedder) -> None:
        await embedder.embed("one two three four five six")
        with pytest.raises(TextUnfit, match="8 tokens"):
            await embedder.embed("one two three four five six seven")

    async def wide(embedder: OnnxEmbedder) -> None:
        with pytest.raises(EmbedError, match="at most 256 tokens"):
            await embedder.open()

    using(OnnxEmbedder(window=8), narrow)
    using(OnnxEmbedder(window=257), wide)


def test_words_that_the_model_cannot_tell_apart_are_not_embedded() -> None:
    """All unknown words are one token: these two would have the same vector, and be a hit for each other."""

    async def scenario(embedder: OnnxEmbedder) -> None:
        for text in ("这个怎么用", "หนังสือเล่มนี้ราคาเท่าไหร่", "what does 🙃 mean?"):
            with pytest.raises(TextUnfit, match="does not know"):
                await embedder.embed(text)

    using(OnnxEmbedder(), scenario)


def test_it_is_ready_once_open_and_says_which_space_its_vectors_are_in() -> None:
    async def scenario(embedder: OnnxEmbedder) -> None:
        assert embedder.dimensions is None
        with pytest.raises(EmbedError, match="not open"):
            _ = embedder.identity
        await embedder.open()
        await embedder.ping()
        assert embedder.dimensions == 384
        assert embedder.identity.startswith("onnx:")

    using(OnnxEmbedder(), scenario)


def test_a_closed_embedder_says_so() -> None:
    async def scenario() -> None:
        embedder = OnnxEmbedder()
        await embedder.open()
        await embedder.close()
        with pytest.raises(EmbedError, match="closed"):
            await embedder.embed("question")

    asyncio.run(scenario())


def test_importing_the_adapters_imports_none_of_the_heavy_libraries() -> None:
    heavy = ["torch", "sentence_transformers", "openai", "voyageai", "onnxruntime", "tokenizers", "huggingface_hub"]
    names = ["queue", "onnx", "sentence_transformers", "openai", "voyage", "cohere", "python"]
    code = f"import sys\nfor name in {names}: __import__('gateway.embedders.' + name)\nprint([m for m in {heavy} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_folder_in_another_layout_gives_the_same_vectors_and_the_same_space(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    shutil.copy(SHIPPED / "model.onnx", tmp_path / "onnx" / "model.onnx")
    shutil.copy(SHIPPED / "tokenizer.json", tmp_path)
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 16, "do_lower_case": false}')

    async def scenario(embedder: OnnxEmbedder) -> tuple[bytes, str]:
        await embedder.embed("word " * 14)
        if embedder is copy:
            with pytest.raises(TextUnfit):
                await embedder.embed("word " * 15)
        return await embedder.embed("How do I reset my password?"), embedder.identity

    copy = OnnxEmbedder(model=str(tmp_path))
    assert using(copy, scenario) == using(OnnxEmbedder(), scenario)
