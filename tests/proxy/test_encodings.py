"""Content codings: what was encoded comes back, and nothing that is damaged, cut, padded or huge comes back at all."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.encodings import DecodedTooLarge, Undecodable, decode, encode

CODINGS = (b"identity", b"gzip", b"deflate", b"br", b"zstd")
COMPRESSED = CODINGS[1:]
LIMIT = 1 << 20
BODY = b'{"answer": "The answer is a plain sentence, and then some more of it."}' * 20


def raw_deflate(body: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(body) + encoder.flush()


bodies = st.one_of(
    st.binary(max_size=2000), st.builds(lambda piece, n: piece * n, st.binary(max_size=20), st.integers(0, 5000))
)


@given(bodies, st.lists(st.sampled_from(CODINGS), max_size=4))
def test_what_was_encoded_comes_back(body: bytes, codings: list[bytes]) -> None:
    encoded = body
    for coding in codings:
        encoded = encode(coding, encoded)
    assert decode(b", ".join(codings), encoded, LIMIT) == body


@given(bodies)
def test_deflate_without_its_wrapping_comes_back(body: bytes) -> None:
    assert decode(b"deflate", raw_deflate(body), LIMIT) == body


@given(st.sampled_from(COMPRESSED), st.data())
def test_a_body_cut_short_anywhere_is_an_error(coding: bytes, data: st.DataObject) -> None:
    encoded = encode(coding, BODY)
    with pytest.raises(Undecodable):
        decode(coding, encoded[: data.draw(st.integers(0, len(encoded) - 1))], LIMIT)


@given(st.sampled_from(COMPRESSED), st.binary(min_size=1, max_size=50))
def test_bytes_after_the_end_are_an_error(coding: bytes, rest: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(coding, encode(coding, BODY) + rest, LIMIT)


@given(st.sampled_from(COMPRESSED), st.binary(max_size=300))
def test_any_bytes_are_decoded_or_refused_never_worse(coding: bytes, data: bytes) -> None:
    try:
        decode(coding, data, LIMIT)
    except Undecodable:
        return


@pytest.mark.parametrize("coding", CODINGS)
def test_the_limit_is_exact(coding: bytes) -> None:
    encoded = encode(coding, BODY)
    assert decode(coding, encoded, len(BODY)) == BODY
    with pytest.raises(DecodedTooLarge):
        decode(coding, encoded, len(BODY) - 1)


BOMBS = {
    "gzip": (b"gzip", gzip.compress(bytes(64 << 20))),
    "deflate": (b"deflate", zlib.compress(bytes(64 << 20))),
    "raw deflate": (b"deflate", raw_deflate(bytes(64 << 20))),
    "br": (b"br", encode(b"br", bytes(64 << 20))),
    "zstd": (b"zstd", zstandard.ZstdCompressor(write_content_size=False).compress(bytes(64 << 20))),
    "zstd that tells its size": (b"zstd", zstandard.ZstdCompressor().compress(bytes(64 << 20))),
    "gzip in gzip": (b"gzip, gzip", gzip.compress(gzip.compress(bytes(64 << 20)))),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_costs_no_more_memory_than_the_limit(bomb: str) -> None:
    coding, data = BOMBS[bomb]
    tracemalloc.start()
    try:
        with pytest.raises(DecodedTooLarge):
            decode(coding, data, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 3 * LIMIT
    finally:
        tracemalloc.stop()


def test_several_gzip_members_and_zstd_frames_are_one_body() -> None:
    assert decode(b"gzip", gzip.compress(b"one ") + gzip.compress(b"two"), LIMIT) == b"one two"
    frames = encode(b"zstd", b"one ") + encode(b"zstd", b"two")
    assert decode(b"zstd", frames, LIMIT) == b"one two"


@pytest.mark.parametrize("coding", [b"gzip", b"zstd"])
def test_endless_empty_members_are_refused(coding: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(coding, encode(coding, b"") * 100_000, LIMIT)


def test_names_are_read_as_http_writes_them() -> None:
    assert decode(b" GZip ,, identity", gzip.compress(BODY), LIMIT) == BODY
    assert decode(b"x-gzip", gzip.compress(BODY), LIMIT) == BODY
    assert decode(b"", BODY, LIMIT) == BODY


@pytest.mark.parametrize("codings", [b"compress", b"gzip, unheard-of", b"br;q=1", b", ".join([b"identity"] * 5)])
def test_an_unknown_coding_or_too_many_are_refused(codings: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(codings, BODY, LIMIT)


def test_a_zstd_window_larger_than_http_allows_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=25)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(Undecodable):
        decode(b"zstd", compressor.compress(bytes(1000)) + compressor.flush(), LIMIT)
