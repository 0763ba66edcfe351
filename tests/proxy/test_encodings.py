"""Content codings: what was encoded comes back, and nothing that is damaged, cut, padded or huge comes back at all."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import tracemalloc
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.encodings import decode, encode
from gateway.errors import DecodedTooLarge, Undecodable

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


# tracemalloc does not see what the libraries take for themselves; the kernel's high-water mark of a process does.
MEASURE = """
import sys
from pathlib import Path
from gateway.encodings import decode
from gateway.errors import DecodedTooLarge

def most():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

for path in sorted(Path(sys.argv[1]).iterdir()):
    coding, body = path.read_bytes().split(b"|", 1)
    before = most()
    try:
        decode(coding, body, 1 << 20)
    except DecodedTooLarge:
        print(path.name, most() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's high-water mark")
def test_a_bomb_costs_the_process_a_window_and_a_little_more(tmp_path: Path) -> None:
    zeros = bytes(128 << 20)
    parameters = zstandard.ZstdCompressionParameters(window_log=23)
    bombs = {
        "gzip": gzip.compress(zeros),
        "deflate": zlib.compress(zeros),
        "br": brotli.compress(zeros, quality=5, lgwin=24),
        "zstd": zstandard.ZstdCompressor(compression_params=parameters).compress(zeros),
    }
    for coding, body in bombs.items():
        (tmp_path / coding).write_bytes(b"%b|%b" % (coding.encode(), body))
    done = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    grown = {name.decode(): int(kib) for name, kib in (line.split() for line in done.stdout.splitlines())}
    assert set(grown) == set(bombs)
    assert max(grown.values()) < 32 << 10, grown  # KiB: a window of 16 MiB, twice the limit, and room


def skippable_frame(content: bytes) -> bytes:
    return bytes.fromhex("502a4d18") + len(content).to_bytes(4, "little") + content


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(zstandard.compress(b""), id="an empty frame"),
        pytest.param(zstandard.compress(bytes(1 << 16)), id="a frame of one piece"),
        pytest.param(skippable_frame(b"abcd"), id="a skippable frame"),
    ],
)
def test_a_zstd_bomb_behind_another_frame_is_a_bomb(before: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DecodedTooLarge):
            decode(b"zstd", before + BOMBS["zstd"][1], LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 3 * LIMIT
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("coding", COMPRESSED)
def test_many_threads_encode_at_once(coding: bytes) -> None:
    bodies = [b'{"number": %d}' % number * 5000 for number in range(8)]
    found: list[bool] = []

    def encode_often(body: bytes) -> None:
        found.extend(decode(coding, encode(coding, body), LIMIT) == body for _ in range(20))

    threads = [threading.Thread(target=encode_often, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 160


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
