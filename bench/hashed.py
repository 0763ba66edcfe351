"""Deterministic vectors for `type: python`: a text's hash as a direction. No model, so misses measure the gateway."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 384


class HashedVectors:
    """Different texts are about as far apart as random directions are: nothing is near anything."""

    dimensions = DIMENSIONS
    version = "1"

    async def embed(self, text: str) -> NDArray[np.int16]:
        return np.frombuffer(hashlib.shake_128(text.encode()).digest(2 * DIMENSIONS), "<i2")
