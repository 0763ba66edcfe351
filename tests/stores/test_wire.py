"""Vectors go to PostgreSQL in pgvector's own wire form, as its library writes it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pgvector import HalfVector

from gateway.stores.postgres_connection import decode_vector, encode_vector

HALVES = st.floats(-1, 1, width=16)


@given(st.lists(HALVES, min_size=1, max_size=50))
def test_a_vector_is_written_as_the_library_writes_it(values: list[float]) -> None:
    vector = np.array(values, "<f4").tobytes()
    assert encode_vector(vector) == HalfVector(values).to_binary()
    assert decode_vector(encode_vector(vector)) == vector


@pytest.mark.parametrize("dimensions", [384, 4000])
def test_large_vectors_too(dimensions: int) -> None:
    values = np.linspace(-1, 1, dimensions, dtype="<f4")
    assert encode_vector(values.tobytes()) == HalfVector(values.tolist()).to_binary()
