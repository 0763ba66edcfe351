"""What the tests of the dialects draw from: JSON values, and members that no API has."""

from __future__ import annotations

from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
# The names cannot meet those of an API, nor each other on different levels.
UNKNOWN = st.dictionaries(st.sampled_from(["x_new", "x_later", "x_other"]), JSON, max_size=2)
TEXT = st.text(max_size=40)


def more(
    fixed: dict[str, st.SearchStrategy[object]], **optional: st.SearchStrategy[object]
) -> st.SearchStrategy[object]:
    """Objects with these members, some of the optional ones, and now and then some that nobody knows."""
    known = st.fixed_dictionaries(fixed, optional=optional)
    return st.builds(lambda known, unknown: {**known, **unknown}, known, UNKNOWN)
