"""What an embedder answers becomes a unit vector, or an error: nothing in between."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.embedders.vector import unit
from gateway.errors import EmbedError


def test_a_vector_is_the_float32_bytes_of_a_unit_vector() -> None:
    vector = np.frombuffer(unit([3.0, 4.0], None), dtype="<f4")
    assert vector.tolist() == pytest.approx([0.6, 0.8])
    assert len(unit([3.0, 4.0], 2)) == 8


def test_the_same_numbers_give_the_same_bytes_however_they_came() -> None:
    numbers = np.random.default_rng(7).normal(size=384).astype(np.float32)
    assert unit(numbers, 384) == unit(numbers.tolist(), 384) == unit(np.frombuffer(numbers.tobytes(), "<f4"), 384)


def test_a_tiny_vector_has_a_direction() -> None:
    assert np.frombuffer(unit([1e-30, 0.0], 2), "<f4").tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("values", "dimensions"),
    [
        ([0.0, 0.0], None),
        ([float("nan"), 1.0], None),
        ([float("inf"), 1.0], None),
        ([1e300, 1e300], None),
        ([], None),
        ([[1.0], [2.0]], None),
        ([[1.0], [2.0, 3.0]], None),
        (["a", "b"], None),
        (None, None),
        ("0.1", None),
        ([10**400], None),
        ([1.0, 2.0, 3.0], 2),
    ],
)
def test_what_is_not_one_finite_vector_of_the_right_size_is_an_error(values: object, dimensions: int | None) -> None:
    with pytest.raises(EmbedError):
        unit(values, dimensions)  # type: ignore[arg-type]
