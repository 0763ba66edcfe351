"""What a client accepts: which coding a kept answer goes out in, and whether an answer may go out as it came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.negotiate import CODINGS, GZIP, IDENTITY, accepts, choose_encoding

BR = b"br"
DEFLATE = b"deflate"
ZSTD = b"zstd"


def asked(*lines: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"accept", b"*/*"), *[(b"accept-encoding", line) for line in lines], (b"user-agent", b"gzip")]


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ([], IDENTITY),
        ([b""], IDENTITY),
        ([b"gzip, br"], IDENTITY),
        ([b"*"], IDENTITY),
        ([b"br;q=1.0, *;q=0.5"], IDENTITY),
        ([b"identity;q=0, gzip"], GZIP),
        ([b"*;q=0, gzip;q=0.5"], GZIP),
        ([b"gzip", b"*;q=0"], GZIP),
        ([b"*;q=0, identity;q=0.1"], IDENTITY),
        ([b"gzip;q=0"], IDENTITY),
        ([b"identity;q=0, gzip;q=0"], None),
        ([b"identity;q=0"], None),
        ([b"*;q=0"], None),
        ([b"compress, *;q=0"], None),
        ([b"br, *;q=0"], BR),
        ([b"identity;q=0.000, br"], BR),
        ([b"identity;q=0, *"], ZSTD),
        ([b"Identity;Q=0 , GZIP"], GZIP),
        ([b"identity ; q=0 , gzip"], GZIP),
    ],
)
def test_an_answer_that_came_plain_goes_out_plain_wherever_the_client_allows_it(
    accepted: list[bytes], encoding: bytes | None
) -> None:
    assert choose_encoding(asked(*accepted), compressed=False) == encoding


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ([], IDENTITY),
        ([b""], IDENTITY),
        ([b"identity"], IDENTITY),
        ([b"compress"], IDENTITY),
        ([b"gzip"], GZIP),
        ([b"x-gzip"], GZIP),
        ([b"deflate, gzip"], GZIP),
        ([b"gzip, br"], BR),
        ([b"gzip, deflate, br, zstd"], ZSTD),
        ([b"gzip", b"br"], BR),
        ([b"gzip;q=0.9, br;q=0.8"], GZIP),
        ([b"gzip;q=0.5"], GZIP),
        ([b"gzip;q=0.001"], GZIP),
        ([b"gzip;q=0.5, identity;q=0.6"], IDENTITY),
        ([b"gzip;q=0.5, identity;q=0.5"], GZIP),
        ([b"gzip;q=0.5, *;q=0.6"], ZSTD),
        ([b"*"], ZSTD),
        ([b"*, zstd;q=0"], BR),
        ([b"gzip;q=0"], IDENTITY),
        ([b"*;q=0"], None),
        ([b"*;q=0, deflate"], DEFLATE),
        ([b"identity;q=0, compress"], None),
    ],
)
def test_an_answer_that_came_compressed_goes_out_in_the_clients_best_coding(
    accepted: list[bytes], encoding: bytes | None
) -> None:
    assert choose_encoding(asked(*accepted), compressed=True) == encoding


@pytest.mark.parametrize(
    "weight", [b"q=", b"q", b"q=x", b"q=-1", b"q=nan", b"q=1e3", b"q=1_0", b"q=.", b"q=0x1", b"q=\xb2", b"q=+1"]
)
def test_a_weight_that_is_no_number_refuses_its_coding(weight: bytes) -> None:
    assert choose_encoding(asked(b"gzip;" + weight), compressed=True) == IDENTITY
    assert not accepts(asked(b"gzip;" + weight), GZIP)


@pytest.mark.parametrize(
    "weight", [b"q=1", b"q=1.000", b"q=2", b"q=0.12345", b"q=.5", b"q=1.", b"a=b;q=0.3", b"a=b", b""]
)
def test_a_weight_that_is_sloppy_is_understood(weight: bytes) -> None:
    assert choose_encoding(asked(b"gzip;" + weight), compressed=True) == GZIP
    assert accepts(asked(b"gzip;" + weight), GZIP)


def test_a_coding_that_is_refused_once_is_refused() -> None:
    for field in (b"gzip;q=0, gzip", b"gzip, gzip;q=0", b"x-gzip;q=0, gzip"):
        assert choose_encoding(asked(field), compressed=True) == IDENTITY
        assert not accepts(asked(field), GZIP)


@pytest.mark.parametrize(
    ("accepted", "coding", "may"),
    [
        ([], b"", True),
        ([], b"identity", True),
        ([], b"gzip", False),
        ([b"gzip"], b"", True),
        ([b"gzip"], b"gzip", True),
        ([b"gzip"], b" GZip ", True),
        ([b"gzip"], b"x-gzip", True),
        ([b"x-gzip"], b"gzip", True),
        ([b"gzip"], b"br", False),
        ([b"gzip;q=0, *"], b"br", True),
        ([b"gzip;q=0, *"], b"gzip", False),
        ([b"gzip, br"], b"gzip, br", True),
        ([b"gzip, br"], b"gzip,, identity", True),
        ([b"gzip"], b"gzip, br", False),
        ([b"gzip, identity;q=0"], b"gzip", True),
        ([b"gzip, identity;q=0"], b"", False),
        ([b"gzip, *;q=0"], b"identity", False),
        ([b"gzip, unheard-of"], b"unheard-of", True),
        ([b""], b"gzip", False),
        ([b""], b"", True),
    ],
)
def test_an_answer_may_go_out_as_it_came_if_each_of_its_codings_is_accepted(
    accepted: list[bytes], coding: bytes, may: bool
) -> None:
    assert accepts(asked(*accepted), coding) == may


names = st.sampled_from([*CODINGS, IDENTITY, b"*", b"x-gzip", b"compress", b"GZIP", b""])
qualities = st.integers(0, 1000).map(lambda thousandths: b"%.3f" % (thousandths / 1000))
spaces = st.sampled_from([b"", b" ", b"\t "])


@st.composite
def items(draw: st.DrawFn) -> tuple[bytes, float, bytes]:
    """(coding, weight, as a client may write it)"""
    name = draw(names)
    if not name or draw(st.booleans()):
        return name, 1.0, draw(spaces) + name + draw(spaces)
    quality = draw(qualities)
    written = draw(spaces) + name + draw(spaces) + b";" + draw(spaces) + draw(st.sampled_from([b"q=", b"Q="])) + quality
    return name, float(quality), written


def may_be_sent(coding: bytes, listed: list[tuple[bytes, float, bytes]]) -> bool:
    """As RFC 9110, 12.5.3 puts it, rule by rule."""
    said = [(name.lower().replace(b"x-gzip", b"gzip"), quality) for name, quality, _ in listed]
    own = [quality for name, quality in said if name == coding]
    if own:
        return min(own) > 0
    rest = [quality for name, quality in said if name == b"*"]
    if rest:
        return min(rest) > 0
    return coding == IDENTITY


@given(st.lists(items(), max_size=8), st.booleans(), st.booleans())
def test_what_is_chosen_is_acceptable_and_none_only_if_nothing_is(
    listed: list[tuple[bytes, float, bytes]], compressed: bool, several_lines: bool
) -> None:
    written = [item for *_, item in listed]
    headers = asked(*written) if several_lines and written else asked(b",".join(written))
    chosen = choose_encoding(headers, compressed)
    fine = {coding for coding in (*CODINGS, IDENTITY) if may_be_sent(coding, listed)}
    assert chosen in fine or (chosen is None and not fine)
    if not compressed and IDENTITY in fine:
        assert chosen == IDENTITY
    assert {coding for coding in (*CODINGS, IDENTITY) if accepts(headers, coding)} == fine


@given(st.lists(st.binary(max_size=40), max_size=4), st.booleans(), st.binary(max_size=20))
def test_whatever_bytes_a_client_sends_something_is_chosen_that_it_accepts(
    lines: list[bytes], compressed: bool, coding: bytes
) -> None:
    headers = asked(*lines)
    chosen = choose_encoding(headers, compressed)
    assert chosen is None or accepts(headers, chosen)
    assert accepts(headers, coding) in (True, False)
    if not lines:
        assert chosen == IDENTITY


@given(st.lists(st.tuples(st.sampled_from(CODINGS), qualities), min_size=1, unique_by=lambda item: item[0]))
def test_of_an_answer_that_came_compressed_nothing_is_liked_better_than_what_is_sent(
    listed: list[tuple[bytes, bytes]],
) -> None:
    chosen = choose_encoding(asked(b", ".join(b"%b;q=%b" % item for item in listed)), compressed=True)
    weights = {coding: float(quality) for coding, quality in listed}
    most = max(weights.values())
    expected = next((coding for coding in CODINGS if weights.get(coding, 0.0) == most), IDENTITY) if most else IDENTITY
    assert chosen == expected
