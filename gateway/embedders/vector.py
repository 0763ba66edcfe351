"""Numbers in, `Vector` out: the one place where an embedder's answer becomes the little-endian float32 bytes of a unit vector.

Nothing here knows a model or a network. The norm is taken in float64, so that the same numbers give the same bytes
whether they came as float32, as base64 or as JSON. What cannot be a unit vector is an EmbedError, never a guess:
a NaN in a store would poison every later comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gateway.errors import EmbedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gateway.core.messages import Vector

NORMALISER = "l2f32.1"
"""Names this module's arithmetic; part of every vector space's identity. A change of the bytes is a new name."""


def unit(values: Sequence[float] | NDArray[np.floating], dimensions: int | None) -> Vector:
    """The unit vector along `values` (one dimension, any length but 0), as 4 x dimensions bytes.

    Raises EmbedError if the values are not finite numbers, are all zero, or are not `dimensions` many (None: any).
    """
    try:
        wide = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise EmbedError("the model's answer is not a list of numbers") from None
    if wide.ndim != 1 or wide.size == 0:
        raise EmbedError(f"the model's answer is not one vector: its shape is {wide.shape}")
    if dimensions is not None and wide.size != dimensions:
        raise EmbedError(f"the model answered with {wide.size} dimensions where {dimensions} are expected")
    with np.errstate(over="ignore", invalid="ignore"):
        norm = float(np.sqrt(np.dot(wide, wide)))
    if not 0.0 < norm < np.inf:  # NaN fails both comparisons
        raise EmbedError("the model's answer has no direction: it is zero, NaN or infinite")
    return (wide / norm).astype("<f4").tobytes()
