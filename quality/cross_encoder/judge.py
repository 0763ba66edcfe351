"""The exported pair model as the `cross-encoder` verifier runs it, without an event loop: for figures."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import VerifierError
from gateway.inference.folder import find_folder
from gateway.verifiers.cross_encoder_onnx import load
from gateway.verifiers.scores import UNJUDGED, combined, log_odds
from quality.cross_encoder.training import MIDDLE, STEEPNESS


class PairJudge:
    """Scores of a folder with an ONNX pair model."""

    def __init__(self, folder: Path, weight: float = STEEPNESS, middle: float = MIDDLE) -> None:
        self._network = load(folder.name, find_folder(str(folder), VerifierError), None, 1)
        self._weight = weight
        self._middle = middle

    def score(self, question: str, other: str, similarity: float) -> float:
        (outputs,) = self._network.outputs([(question, other)])
        if outputs is None:
            return UNJUDGED
        return combined(log_odds(outputs, 0, None), similarity, self._weight, self._middle)
