"""The cross-encoder with small real models: what a pair's score is made of, what cannot be judged, and which models are none."""

from __future__ import annotations

import asyncio
import gc
import math
import re
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pair_models import summed, write_adding_model, write_bert, write_graph, write_tokenizer

from gateway.core.messages import Near
from gateway.embedders.folder import SHIPPED
from gateway.errors import VerifierError
from gateway.verifiers.cross_encoder import CrossEncoderVerifier

ASKED = "how do i turn on the light"
OTHERS = (
    Near("turn on the light", 0.95),
    Near("turn off the light", 0.97),
    Near("what is the price of the red car", 0.2),
)


def judge(verifier: CrossEncoderVerifier, question: str, *others: Near) -> list[float]:
    async def scenario() -> list[float]:
        try:
            return await verifier.judge(question, others)
        finally:
            await verifier.close()

    return asyncio.run(scenario())


def trouble(**settings: Any) -> str:
    """What is said of a model that cannot be opened."""

    async def scenario() -> str:
        verifier = CrossEncoderVerifier(**settings)
        with pytest.raises(VerifierError) as caught:
            await verifier.open()
        await verifier.close()
        return str(caught.value)

    return asyncio.run(scenario())


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_adding_model(tmp_path_factory.mktemp("model")))


def test_a_score_is_the_models_logit_and_the_similarity_together(folder: str) -> None:
    scores = judge(CrossEncoderVerifier(model=folder, weight=10, middle=0.9), ASKED, *OTHERS)
    wanted = [sigmoid(summed(ASKED, other.text) + 10 * (other.similarity - 0.9)) for other in OTHERS]
    assert scores == pytest.approx(wanted, abs=1e-6)
    assert scores[0] > 0.99 > scores[2]


def test_a_score_does_not_depend_on_the_other_candidates(tmp_path: Path) -> None:
    """Padding weighs something in this model, although it has a mask: so it is given one pair at a time."""
    write_adding_model(tmp_path, mask=True)
    together = judge(CrossEncoderVerifier(model=str(tmp_path)), ASKED, *OTHERS)
    assert together == [judge(CrossEncoderVerifier(model=str(tmp_path)), ASKED, other)[0] for other in OTHERS]


def test_without_weight_the_model_speaks_alone(folder: str) -> None:
    near, far = judge(
        CrossEncoderVerifier(model=folder, weight=0),
        ASKED,
        Near("turn off the light", 0.99),
        Near("turn off the light", 0.1),
    )
    assert near == far == pytest.approx(sigmoid(summed(ASKED, "turn off the light")), abs=1e-6)


@pytest.mark.parametrize(("similarity", "weight"), [(1.0, 1000.0), (0.0, 1000.0), (0.5, 1000.0)])
def test_a_score_is_between_0_and_1_however_sure(folder: str, similarity: float, weight: float) -> None:
    (score,) = judge(CrossEncoderVerifier(model=folder, weight=weight, middle=0.5), ASKED, Near(ASKED, similarity))
    assert 0.0 <= score <= 1.0


def test_a_pair_that_the_window_does_not_hold_is_not_judged_by_its_beginning(folder: str) -> None:
    """24 tokens: three of them special, 7 of the question."""
    fits, too_long, enormous = judge(
        CrossEncoderVerifier(model=folder),
        ASKED,
        Near("light " * 14, 0.9),
        Near("light " * 15, 0.99),
        Near("light " * 10**6, 0.99),
    )
    assert fits > 0.99
    assert (too_long, enormous) == (0.0, 0.0)


def test_words_that_the_model_cannot_tell_apart_are_not_judged(folder: str) -> None:
    scores = judge(
        CrossEncoderVerifier(model=folder), ASKED, Near("turn on the lamp", 0.99), Near("\ud83d light", 0.99)
    )
    assert scores == [0.0, 0.0]


@pytest.mark.parametrize("window", [12, 24])
def test_a_window_may_be_narrowed(folder: str, window: int) -> None:
    (score,) = judge(CrossEncoderVerifier(model=folder, window=window), ASKED, Near("turn on the light", 0.99))
    assert (score > 0.9) == (window == 24)


def test_a_graph_in_its_own_folder_is_found(tmp_path: Path) -> None:
    write_adding_model(tmp_path, graph="onnx/model.onnx")
    assert judge(CrossEncoderVerifier(model=str(tmp_path)), ASKED, *OTHERS)[0] > 0.9


@pytest.mark.parametrize(
    ("outputs", "labels", "settings", "logit"),
    [
        ((-1.0, 1.0), (), {}, lambda z: 2 * z),  # two outputs: the second, against the first
        ((-1.0, 1.0), ("same", "other"), {"label": "same"}, lambda z: -2 * z),
        ((0.0, 1.0, 0.0), ("contradiction", "Entailment", "neutral"), {}, lambda z: z - math.log(2)),
        ((0.0, 0.0, 1.0), (), {"label": 2}, lambda z: z - math.log(2)),
    ],
)
def test_of_several_outputs_one_is_set_against_the_others(
    tmp_path: Path,
    outputs: Sequence[float],
    labels: Sequence[str],
    settings: dict[str, Any],
    logit: Callable[[float], float],
) -> None:
    write_adding_model(tmp_path, outputs=outputs, labels=labels)
    (score,) = judge(
        CrossEncoderVerifier(model=str(tmp_path), weight=0, **settings), "red light", Near("blue car", 0.9)
    )
    assert score == pytest.approx(sigmoid(logit(summed("red light", "blue car"))), abs=1e-6)


@pytest.mark.parametrize(("output", "score"), [(1.25, 0.25), (0.0, 0.0), (5.0, 1.0), (7.0, 1.0), (-1.0, 0.0)])
def test_an_output_that_is_no_logit_has_a_scale(tmp_path: Path, output: float, score: float) -> None:
    """`red` weighs 0.75, and the specials nothing together."""
    write_adding_model(tmp_path, outputs=(output / 0.75,))
    (found,) = judge(CrossEncoderVerifier(model=str(tmp_path), weight=0, scale=5.0), "red", Near("car", 0.9))
    assert found == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize(
    ("outputs", "labels", "label", "says"),
    [
        ((1.0, 1.0, 1.0), ("a", "b", "c"), None, r"has 3 outputs and none is called `entailment`: set `label`"),
        ((1.0, 1.0, 1.0), ("a", "b", "c"), "d", r"has no output 'd'; it has a, b, c"),
        ((1.0, 1.0, 1.0), (), 3, r"has 3 outputs, the first of them is 0: there is no output 3"),
        ((1.0,) * 384, (), None, r"has 384 outputs .*unless it is no pair model"),
    ],
)
def test_an_output_that_nothing_names_is_refused(
    tmp_path: Path, outputs: Sequence[float], labels: Sequence[str], label: str | int | None, says: str
) -> None:
    write_adding_model(tmp_path, outputs=outputs, labels=labels)
    assert re.search(says, trouble(model=str(tmp_path), label=label))


def test_models_that_are_none_are_refused_by_their_name(tmp_path: Path) -> None:
    assert "there is no such folder" in trouble(model=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    assert "its folder needs model.onnx or onnx/model.onnx, and tokenizer.json" in trouble(
        model=str(tmp_path / "empty"), backend="onnx"
    )
    broken = write_tokenizer(tmp_path / "broken")
    (broken / "model.onnx").write_bytes(b"not a graph")
    (broken / "config.json").write_text('{"max_position_embeddings": 24}')
    assert "cannot be loaded" in trouble(model=str(broken))
    single = write_adding_model(tmp_path / "single", pairs=False)
    assert "puts nothing between the two texts of a pair" in trouble(model=str(single))
    other = write_adding_model(tmp_path / "other")
    assert "takes at most 24 tokens: `window: 25` is too much" in trouble(model=str(other), window=25)
    assert "`window: 2` has no room for any pair" in trouble(model=str(other), window=2)
    (other / "config.json").write_text("{")
    assert "'config.json' cannot be read" in trouble(model=str(other))


def test_an_embedding_model_is_no_pair_model() -> None:
    assert "no pair model" in trouble(model=str(SHIPPED / "all-MiniLM-L6-v2"), window=64)


def test_a_model_that_answers_with_no_number_is_trouble(tmp_path: Path) -> None:
    write_adding_model(tmp_path, outputs=(float("nan"),))
    with pytest.raises(VerifierError, match="no number"):
        judge(CrossEncoderVerifier(model=str(tmp_path)), ASKED, *OTHERS)


def test_without_the_extra_a_model_without_a_graph_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    (tmp_path / "config.json").write_text("{}")
    assert "pip install 'semgate[sentence-transformers]'" in trouble(model=str(tmp_path))


def test_an_opening_that_failed_may_be_tried_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        verifier = CrossEncoderVerifier(model=str(tmp_path), backend="onnx")
        with pytest.raises(VerifierError):
            await verifier.open()
        write_adding_model(tmp_path)
        await verifier.ping()
        assert len(await verifier.judge(ASKED, OTHERS)) == 3
        await verifier.close()
        with pytest.raises(VerifierError, match="closed"):
            await verifier.judge(ASKED, OTHERS)

    asyncio.run(scenario())


def test_a_full_queue_is_trouble_at_once_and_those_who_leave_make_room(folder: str) -> None:
    async def scenario() -> None:
        verifier = CrossEncoderVerifier(model=folder, queue=2)
        await verifier.open()
        begun, released = threading.Event(), threading.Event()

        def hold(seconds: float) -> bool:
            begun.set()
            return released.wait(seconds)

        holding = asyncio.create_task(verifier._worker.run(hold, 30.0))  # what is before them on the thread
        await asyncio.to_thread(begun.wait, 30)
        waiting = [asyncio.create_task(verifier.judge(ASKED, OTHERS)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(VerifierError, match="queue full"):
            await verifier.judge(ASKED, OTHERS)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not verifier._worker._line  # nothing of theirs will run
        later = asyncio.create_task(verifier.judge(ASKED, OTHERS))
        await asyncio.sleep(0)
        released.set()
        assert len(await later) == 3
        await holding
        await verifier.close()

    asyncio.run(scenario())


def test_questions_do_not_stay_in_memory(folder: str) -> None:
    class Question(str):
        __slots__ = ("__weakref__",)

    async def scenario() -> bool:
        verifier = CrossEncoderVerifier(model=folder)
        question = Question(ASKED)
        alive = weakref.ref(question)
        await verifier.judge(question, OTHERS)
        del question
        gc.collect()
        gone = alive() is None
        await verifier.close()
        return gone

    assert asyncio.run(scenario())


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sentence_transformers", reason="needs the sentence-transformers extra")
    return write_bert(tmp_path_factory.mktemp("bert"))


def test_torch_takes_the_model_where_there_is_no_graph(bert: Path) -> None:
    scores = judge(CrossEncoderVerifier(model=str(bert), weight=0), ASKED, *OTHERS, Near("turn on the lamp", 0.99))
    assert scores[3] == 0.0
    assert len({round(score, 4) for score in scores[:3]}) == 3


def test_a_folder_without_a_model_is_told_as_that(bert: Path, tmp_path: Path) -> None:
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        if (bert / file).is_file():
            (tmp_path / file).write_bytes((bert / file).read_bytes())
    assert "there is no model in this folder" in trouble(model=str(tmp_path))


def test_torch_does_not_cut_a_pair(bert: Path) -> None:
    scores = judge(
        CrossEncoderVerifier(model=str(bert)), ASKED, Near("light " * 15, 0.99), Near("light " * 10**6, 0.99), *OTHERS
    )
    assert scores[:2] == [0.0, 0.0]
    assert judge(CrossEncoderVerifier(model=str(bert)), ASKED, *OTHERS) == pytest.approx(scores[2:], abs=1e-5)


def test_onnx_and_torch_agree(bert: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="torch's exporter needs the package onnx")
    import shutil

    both = tmp_path / "both"
    shutil.copytree(bert, both)
    write_graph(both)
    asked = {backend: CrossEncoderVerifier(model=str(both), backend=backend) for backend in ("auto", "onnx", "torch")}
    found = {
        backend: judge(verifier, ASKED, *OTHERS, Near("turn on the lamp", 0.99)) for backend, verifier in asked.items()
    }
    alone = [judge(CrossEncoderVerifier(model=str(both), weight=0), ASKED, other)[0] for other in OTHERS]
    assert judge(CrossEncoderVerifier(model=str(both), weight=0), ASKED, *OTHERS) == pytest.approx(alone, abs=1e-4)
    assert found["onnx"] == found["auto"] == pytest.approx(found["torch"], abs=1e-5)


def test_a_model_without_a_head_is_not_given_a_random_one(bert: Path, tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    write_bert(tmp_path)
    config = BertConfig.from_pretrained(tmp_path)
    BertModel(config).save_pretrained(tmp_path)
    assert "is no pair model: its weights are of BertModel, without a head" in trouble(model=str(tmp_path))
