"""The local ONNX embedder with folders: small models in the layouts that are out there, and folders that are none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_model import TABLE, WORDS, embed, mean, using, write_model

from gateway.embedders.onnx import OnnxEmbedder
from gateway.errors import EmbedError, TextUnfit


def test_token_vectors_are_averaged_where_nothing_else_is_said(tmp_path: Path) -> None:
    (vector,) = embed(OnnxEmbedder(model=str(write_model(tmp_path))), "red blue")
    assert vector == pytest.approx(mean("[CLS]", "red", "blue", "[SEP]"), abs=1e-6)


def test_a_tokenizer_that_cuts_and_pads_is_told_not_to(tmp_path: Path) -> None:
    text = ["red", "green", "blue", "the", "of", "red", "red", "red", "blue", "blue"]

    async def scenario(embedder: OnnxEmbedder) -> bytes:
        with pytest.raises(TextUnfit, match="12 tokens"):
            await embedder.embed(" ".join([*text, "red"]))
        return await embedder.embed(" ".join(text))

    vector = using(OnnxEmbedder(model=str(write_model(tmp_path))), scenario)
    assert np.frombuffer(vector, "<f4") == pytest.approx(mean("[CLS]", *text, "[SEP]"), abs=1e-6)


@pytest.mark.parametrize("config", ['{"pooling_mode_cls_token": true}', '{"pooling_mode": "cls"}'])
def test_the_first_token_is_taken_where_the_pooling_says_so(tmp_path: Path, config: str) -> None:
    write_model(tmp_path, graph="onnx/model.onnx")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(config)
    (vector,) = embed(OnnxEmbedder(model=str(tmp_path)), "red blue")
    assert vector == pytest.approx(mean("[CLS]"), abs=1e-6)


def test_a_prompt_goes_before_the_text_and_text_is_lowered_where_the_model_says_so(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "config_sentence_transformers.json").write_text(
        '{"prompts": {"query": "query: ", "other": "the "}, "default_prompt_name": "query"}'
    )
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 6, "do_lower_case": true}')

    async def scenario(embedder: OnnxEmbedder) -> bytes:
        with pytest.raises(TextUnfit):
            await embedder.embed("red blue red")  # the prompt's tokens count
        return await embedder.embed("Red BLUE")

    vector = using(OnnxEmbedder(model=str(tmp_path)), scenario)
    assert np.frombuffer(vector, "<f4") == pytest.approx(mean("[CLS]", "query", ":", "red", "blue", "[SEP]"), abs=1e-6)


def test_a_model_json_names_the_graph_the_window_and_the_output(tmp_path: Path) -> None:
    write_model(tmp_path, graph="small.onnx", output="states", inputs=("input_ids",), integers=6)
    (tmp_path / "model.json").write_text(
        '{"model": "small.onnx", "max_tokens": 5, "output": "states", "pooling": "cls"}'
    )

    async def scenario(embedder: OnnxEmbedder) -> bytes:
        with pytest.raises(TextUnfit, match="5 tokens"):
            await embedder.embed("red red red red")
        return await embedder.embed("red red red")

    assert np.frombuffer(using(OnnxEmbedder(model=str(tmp_path)), scenario), "<f4") == pytest.approx(mean("[CLS]"))


def test_a_huge_length_in_a_tokenizer_config_is_no_length(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 1000000000000000019884624838656}')

    async def scenario(embedder: OnnxEmbedder) -> None:
        with pytest.raises(TextUnfit, match="12 tokens"):
            await embedder.embed("red " * 11)

    using(OnnxEmbedder(model=str(tmp_path)), scenario)


def test_other_weights_tokens_or_pooling_are_another_space(tmp_path: Path) -> None:
    async def identity(embedder: OnnxEmbedder) -> str:
        await embedder.open()
        return embedder.identity

    plain = write_model(tmp_path / "plain")
    same = write_model(tmp_path / "same")
    weights = write_model(tmp_path / "weights", table=TABLE + 1)
    tokens = write_model(tmp_path / "tokens", special=False)
    pooling = write_model(tmp_path / "pooling")
    (pooling / "1_Pooling").mkdir()
    (pooling / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    spaces = [using(OnnxEmbedder(model=str(p)), identity) for p in (plain, same, weights, tokens, pooling)]
    assert spaces[0] == spaces[1]
    assert len(set(spaces)) == 4


def test_a_model_that_answers_nan_is_an_error(tmp_path: Path) -> None:
    table = TABLE.copy()
    table[WORDS.index("green")] = np.nan

    async def scenario(embedder: OnnxEmbedder) -> None:
        await embedder.embed("red")
        with pytest.raises(EmbedError, match="no direction"):
            await embedder.embed("green")

    using(OnnxEmbedder(model=str(write_model(tmp_path, table=table))), scenario)


def test_a_model_that_fails_on_a_text_is_an_error_without_the_text(tmp_path: Path) -> None:
    async def scenario(embedder: OnnxEmbedder) -> None:
        await embedder.open()
        with pytest.raises(EmbedError) as caught:
            await embedder.embed("of")  # a row that the table has not
        assert "failed" in str(caught.value)

    using(OnnxEmbedder(model=str(write_model(tmp_path, table=TABLE[:-1]))), scenario)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: shutil.rmtree(folder), "no such folder"),
        (lambda folder: (folder / "model.onnx").unlink(), "needs model.onnx or onnx/model.onnx"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"not a graph"), "cannot be loaded"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot be read"),
        (lambda folder: (folder / "tokenizer.json").write_text('{"model": {}}'), "cannot be loaded"),
        (lambda folder: (folder / "config.json").unlink(), "set `window`"),
        (lambda folder: (folder / "config.json").write_text("[]"), "cannot be read"),
        (lambda folder: write_model(folder, inputs=("input_ids", "pixel_values")), "pixel_values"),
        (lambda folder: write_model(folder, integers=1), "input_ids"),
        (lambda folder: (folder / "model.json").write_text('{"max_tokens": 9, "output": "embedding"}'), "no output"),
        (
            lambda folder: (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]'),
            "Dense",
        ),
        (
            lambda folder: (
                (folder / "1_Pooling").mkdir(),
                (folder / "1_Pooling" / "config.json").write_text(
                    '{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}'
                ),
            ),
            "cls\\+max",
        ),
    ],
)
def test_a_folder_that_cannot_be_run_exactly_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    folder = write_model(tmp_path / "model")
    spoil(folder)

    async def scenario(embedder: OnnxEmbedder) -> None:
        with pytest.raises(EmbedError, match=says):
            await embedder.open()

    using(OnnxEmbedder(model=str(folder)), scenario)


def test_opening_can_be_tried_again(tmp_path: Path) -> None:
    async def scenario(embedder: OnnxEmbedder) -> None:
        with pytest.raises(EmbedError):
            await embedder.embed("red")
        write_model(tmp_path / "late")
        await embedder.embed("red")

    using(OnnxEmbedder(model=str(tmp_path / "late")), scenario)
