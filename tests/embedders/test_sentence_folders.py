"""Folders of sentence-transformers as published models have them: prompts, layers that normalise or not, vectors that may be
cut, windows. What the library itself computes is the measure."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sentence_model import SIZE, write_sentence_model

from gateway.embedders.sentence_transformers import SentenceTransformersEmbedder
from gateway.errors import EmbedError, TextUnfit

ASKED = "how do i reset my password ?"

pytest.importorskip("sentence_transformers", reason="needs the sentence-transformers extra")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


class Opened:
    """What one embedder answers."""

    def __init__(self, runner: asyncio.Runner, folder: Path, *texts: str, **settings: Any) -> None:
        async def use() -> None:
            embedder = SentenceTransformersEmbedder(model=str(folder), **settings)
            try:
                self.vectors = [np.frombuffer(await embedder.embed(text), "<f4") for text in texts]
                self.identity, self.dimensions = embedder.identity, embedder.dimensions
            finally:
                await embedder.close()

        runner.run(use())


def library(folder: Path, text: str, **more: Any) -> Any:
    """The vector as the library gives it, made a unit vector."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode(text, normalize_embeddings=True, **more)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As redis/langcache-embed-v1 to v3: first-token pooling, no layer that normalises, empty prompts, none by default."""
    return write_sentence_model(tmp_path_factory.mktemp("plain"))


def test_a_model_that_does_not_normalise_gives_unit_vectors(plain: Path, runner: asyncio.Runner) -> None:
    from sentence_transformers import SentenceTransformer

    raw = SentenceTransformer(str(plain), device="cpu").encode(ASKED)
    assert abs(np.linalg.norm(raw) - 1) > 0.1
    opened = Opened(runner, plain, ASKED)
    assert abs(np.linalg.norm(opened.vectors[0]) - 1) < 1e-6
    assert np.allclose(opened.vectors[0], library(plain, ASKED), atol=1e-6)
    assert opened.dimensions == SIZE


def test_one_that_normalises_by_itself_gives_the_same(plain: Path, runner: asyncio.Runner, tmp_path: Path) -> None:
    normalised = write_sentence_model(tmp_path, normalize=True)
    one, other = Opened(runner, plain, ASKED), Opened(runner, normalised, ASKED)
    assert np.allclose(one.vectors[0], other.vectors[0], atol=1e-6)


def test_the_prompt_that_a_model_names_as_its_default_goes_before_each_text(
    plain: Path, runner: asyncio.Runner, tmp_path: Path
) -> None:
    prompts = {"query": "query : ", "document": ""}
    prompted = write_sentence_model(tmp_path, prompts=prompts, default_prompt_name="query")
    opened = Opened(runner, prompted, ASKED)
    assert np.allclose(opened.vectors[0], library(plain, f"query : {ASKED}"), atol=1e-6)
    assert not np.allclose(opened.vectors[0], library(plain, ASKED), atol=1e-3)
    assert opened.identity != Opened(runner, plain, ASKED).identity


def test_a_prompt_that_is_only_on_offer_is_not_used_unless_asked_for(
    plain: Path, runner: asyncio.Runner, tmp_path: Path
) -> None:
    offering = write_sentence_model(tmp_path, prompts={"query": "query : ", "document": ""})
    without, asked = Opened(runner, offering, ASKED), Opened(runner, offering, ASKED, prompt="query : ")
    assert np.allclose(without.vectors[0], library(plain, ASKED), atol=1e-6)
    assert without.identity == Opened(runner, plain, ASKED).identity
    assert np.allclose(asked.vectors[0], library(offering, ASKED, prompt_name="query"), atol=1e-6)
    assert asked.identity != without.identity


def test_the_setting_wins_over_the_models_own_prompt_even_where_it_is_empty(
    plain: Path, runner: asyncio.Runner, tmp_path: Path
) -> None:
    prompted = write_sentence_model(tmp_path, prompts={"query": "query : "}, default_prompt_name="query")
    opened = Opened(runner, prompted, ASKED, prompt="")
    assert np.allclose(opened.vectors[0], library(plain, ASKED), atol=1e-6)
    assert opened.identity == Opened(runner, plain, ASKED).identity


def test_a_model_that_pools_without_its_prompt_does_so(runner: asyncio.Runner, tmp_path: Path) -> None:
    prompts, name = {"query": "query : "}, "query"
    folder = write_sentence_model(
        tmp_path, pooling="mean", prompts=prompts, default_prompt_name=name, include_prompt=False
    )
    opened = Opened(runner, folder, ASKED)
    assert np.allclose(opened.vectors[0], library(folder, ASKED), atol=1e-6)


def test_vectors_can_be_cut_and_are_unit_vectors_then(plain: Path, runner: asyncio.Runner) -> None:
    whole, cut = Opened(runner, plain, ASKED), Opened(runner, plain, ASKED, dimensions=4)
    assert cut.dimensions == len(cut.vectors[0]) == 4
    assert abs(np.linalg.norm(cut.vectors[0]) - 1) < 1e-6
    expected = whole.vectors[0][:4] / np.linalg.norm(whole.vectors[0][:4])
    assert np.allclose(cut.vectors[0], expected, atol=1e-6)
    assert np.allclose(cut.vectors[0], library(plain, ASKED, truncate_dim=4), atol=1e-6)


def test_they_cannot_be_made_longer(plain: Path, runner: asyncio.Runner) -> None:
    with pytest.raises(EmbedError, match=r"16 dimensions: `dimensions: 17` is too much"):
        Opened(runner, plain, ASKED, dimensions=17)


def test_other_pooling_is_another_space(plain: Path, runner: asyncio.Runner, tmp_path: Path) -> None:
    mean = write_sentence_model(tmp_path, pooling="mean")
    one, other = Opened(runner, plain, ASKED), Opened(runner, mean, ASKED)
    assert one.identity != other.identity
    assert not np.allclose(one.vectors[0], other.vectors[0], atol=1e-3)


def test_the_window_is_what_the_folder_says_with_the_prompt_in_it(plain: Path, runner: asyncio.Runner) -> None:
    """As v3 has it: its weights could take more than the tokens it was trained with."""
    words = "how " * 10
    Opened(runner, plain, words)
    with pytest.raises(TextUnfit, match="12 tokens"):
        Opened(runner, plain, words + "how")
    with pytest.raises(TextUnfit, match="12 tokens"):
        Opened(runner, plain, words, prompt="query : ")


def test_a_copy_of_the_folder_is_the_same_space(plain: Path, runner: asyncio.Runner, tmp_path: Path) -> None:
    again = write_sentence_model(tmp_path)
    one, other = Opened(runner, plain, ASKED), Opened(runner, again, ASKED)
    assert (one.identity, one.vectors[0].tobytes()) == (other.identity, other.vectors[0].tobytes())
