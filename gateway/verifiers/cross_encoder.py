"""A published pair model that reads both questions together: ONNX under onnxruntime, or sentence-transformers' CrossEncoder.

One thread of its own does all that is slow: imports, download, loading, judging. A look-up's candidates are one job there;
one whose waiter has left before its turn never runs. What the model cannot see whole, or has words that it does not know,
it cannot judge: that candidate's score is 0, never that of a cut text.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Protocol

from gateway.errors import VerifierError
from gateway.inference.folder import find_folder, find_graph
from gateway.inference.worker import Worker
from gateway.verifiers.scores import UNJUDGED, combined, log_odds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.core.messages import Near

NOTHING = ("", "")


class PairNetwork(Protocol):
    """A loaded model. Used by one thread."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its outputs, as far as its files have any."""

    def outputs(self, pairs: Sequence[tuple[str, str]]) -> list[list[float] | None]:
        """What it puts out for each pair; None where it cannot take the pair whole. Raises VerifierError."""


class CrossEncoderVerifier:
    """A verifier on one thread of this process.

    Args:
        model: hub id or folder.
        backend: `auto` takes ONNX where the model's folder has a graph and a tokenizer for it, else torch.
        device: torch's name of it; ONNX runs on the CPU.
        threads: cores that one judgement may use. torch has one such number for the process.
        window: most tokens of a pair, special ones included; None: the model's own.
        label: of several outputs, the one that means "same", by name or number; None: the second of two, `entailment`
            of more.
        scale: the output lies between 0 and this; None: it is a logit.
        weight, middle: score = sigmoid(logit + weight x (similarity - middle)).
        batch: candidates that the engine asks about at once.
        queue: judgements that may wait or run at once.
    """

    def __init__(
        self,
        *,
        model: str,
        backend: Literal["auto", "onnx", "torch"] = "auto",
        device: str = "cpu",
        threads: int = 1,
        window: int | None = None,
        label: str | int | None = None,
        scale: float | None = None,
        weight: float = 20.0,
        middle: float = 0.85,
        batch: int = 5,
        queue: int = 64,
    ) -> None:
        self._name = model
        self._backend = backend
        self._device = device
        self._threads = threads
        self._window = window
        self._label = label
        self._scale = scale
        self._weight = weight
        self._middle = middle
        self._queue = queue
        self._pending = 0
        self._worker = Worker(f"cross-encoder {model!r}", VerifierError)
        self._network: PairNetwork | None = None
        self._same = 0
        self.batch = batch

    async def open(self) -> None:
        """Load the model. Raises VerifierError, naming the model and what to do; may be tried again."""
        await self._worker.run(CrossEncoderVerifier._loaded, self)

    async def judge(self, question: str, others: Sequence[Near]) -> list[float]:
        """Raises VerifierError; "queue full" at once."""
        if self._pending >= self._queue:
            raise VerifierError(f"queue full: {self._queue} judgements are under way or waiting")
        self._pending += 1
        try:
            return await self._worker.run(self._judge, (question, tuple(others)))
        finally:
            self._pending -= 1

    async def ping(self) -> None:
        await self.open()

    async def close(self) -> None:
        await self._worker.close()
        self._network = None

    def _judge(self, asked: tuple[str, tuple[Near, ...]]) -> list[float]:
        question, others = asked
        outputs = self._loaded().outputs([(question, other.text) for other in others])
        return [self._score(output, other.similarity) for output, other in zip(outputs, others, strict=True)]

    def _score(self, output: list[float] | None, similarity: float) -> float:
        if output is None:
            return UNJUDGED
        if not all(map(math.isfinite, output)):
            raise VerifierError(f"model {self._name!r} failed: its answer is no number")
        return combined(log_odds(output, self._same, self._scale), similarity, self._weight, self._middle)

    def _loaded(self) -> PairNetwork:
        if self._network is None:
            network = self._load()
            (probe,) = network.outputs([NOTHING])  # also the warm-up: a first run is the slowest
            if probe is None:
                raise VerifierError(f"model {self._name!r}: `window: {self._window}` has no room for any pair")
            self._same = same_label(self._name, network.labels, len(probe), self._label)
            self._network = network
        return self._network

    def _load(self) -> PairNetwork:
        folder = None if self._backend == "torch" else find_folder(self._name, VerifierError)
        if folder is not None and (self._backend == "onnx" or _has_graph(folder)):
            from gateway.verifiers.cross_encoder_onnx import load

            return load(self._name, folder, self._window, self._threads)
        from gateway.verifiers.cross_encoder_torch import load as load_torch

        return load_torch(self._name, self._device, self._window, self._threads)


def same_label(name: str, labels: tuple[str, ...], count: int, wanted: str | int | None) -> int:
    """Which of a model's `count` outputs means "same". Raises VerifierError where nothing says so."""
    if isinstance(wanted, str):
        if wanted not in labels:
            raise VerifierError(
                f"model {name!r} has no output {wanted!r}; it has {', '.join(labels) or 'no names for any'}"
            )
        wanted = labels.index(wanted)
    if wanted is not None:
        if wanted >= count:
            raise VerifierError(
                f"model {name!r} has {count} outputs, the first of them is 0: there is no output {wanted}"
            )
        return wanted
    if count <= 2:
        return count - 1
    found = [place for place, label in enumerate(labels[:count]) if label.lower() == "entailment"]
    if not found:
        raise VerifierError(
            f"model {name!r} has {count} outputs and none is called `entailment`: set `label`, unless it is no pair model"
        )
    return found[0]


def _has_graph(folder: Path) -> bool:
    return find_graph(folder) is not None and (folder / "tokenizer.json").is_file()
