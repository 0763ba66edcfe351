"""From what a pair model puts out to a score of 0 to 1, together with the similarity of the two questions.

Pure. A pair model alone is no better than cosine on questions of a kind that it was not trained on, and both together are:
so a score is always a combination (measured in docs/verifiers.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

UNJUDGED = 0.0
"""The score of a pair that a verifier cannot take: too long for its model, words that it does not know, no Unicode."""
SUREST = 30.0
"""Log-odds beyond which a probability is 0 or 1 to every purpose; a model that says exactly 1 means this."""


def log_odds(outputs: Sequence[float], label: int, scale: float | None) -> float:
    """How sure a model is that the pair is the same, as a logit.

    One output is a logit already, or lies between 0 and `scale`. Of several, which are a softmax's inputs, the one at
    `label` is set against all others: z - log(sum of exp of the others).
    """
    if len(outputs) == 1:
        return outputs[0] if scale is None else _logit(outputs[0] / scale)
    others = [output for place, output in enumerate(outputs) if place != label]
    if scale is not None:
        return _logit(outputs[label] / scale)
    highest = max(others)
    return outputs[label] - highest - math.log(sum(math.exp(other - highest) for other in others))


def combined(logit: float, similarity: float, weight: float, middle: float) -> float:
    """sigmoid(logit + weight x (similarity - middle)): 0 to 1, rising in both."""
    total = logit + weight * (similarity - middle)
    # Two forms of one formula, each where it cannot overflow.
    return 1 / (1 + math.exp(-total)) if total >= 0 else math.exp(total) / (1 + math.exp(total))


def _logit(probability: float) -> float:
    if probability <= 0:
        return -SUREST
    if probability >= 1:
        return SUREST
    return max(-SUREST, min(SUREST, math.log(probability / (1 - probability))))
