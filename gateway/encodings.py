"""Content codings (RFC 9110, 8.4): bytes in, bytes out, never more than the caller allows.

A body is decoded whole or not at all: what is cut short, followed by something else, damaged or too large is an error,
so that half an answer cannot be stored. Every decoder stops at the limit, whatever the body claims about itself: a
bomb costs no more memory than about twice the limit (and a window of at most 16 MiB). Encoding is done for each hit
that is sent so: its levels are the quick ones.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import zstandard

from gateway.errors import DecodedTooLarge, Undecodable

GZIP = 31
ZLIB = 15
RAW_DEFLATE = -15
ZSTD_WINDOW = 8 << 20  # the most that a coder may use in HTTP (RFC 9659)
PIECE = 65536
MOST_CODINGS = 4
MOST_MEMBERS = 100  # of one gzip or zstd body; each costs a copy of what follows it

# Measured on a chat answer of 1.5 KB and one of 100 KB, in microseconds and in percent of its size: gzip and deflate
# 12 and 730 (31 %), br 10 and 300 (27 %), zstd 7 and 265 (24 %). gzip at its usual 6 takes 2,000 for the larger (21 %),
# br at 5 takes 1,300 (20 %), and zstd 17 more for each where the compressor is made anew.
ZLIB_LEVEL = 1
BROTLI_QUALITY = 1
ZSTD_LEVEL = 3


def decode(content_encoding: bytes, body: bytes, limit: int) -> bytes:
    """The body without the codings that a Content-Encoding value lists, at most `limit` bytes.

    Raises DecodedTooLarge beyond the limit (of any stage), Undecodable when a coding is unknown or the body damaged.
    """
    codings = [coding.strip().lower() for coding in content_encoding.split(b",") if coding.strip()]
    if len(codings) > MOST_CODINGS:
        raise Undecodable(f"more than {MOST_CODINGS} codings")
    for coding in reversed(codings):
        decoder = _DECODERS.get(coding)
        if decoder is None:
            raise Undecodable("unknown coding")
        body = decoder(body, limit)
    return _within(body, limit)


def encode(coding: bytes, body: bytes) -> bytes:
    """The body in one coding (`gzip`, `deflate`, `br`, `zstd` or `identity`), quickly. Raises KeyError for another."""
    return _ENCODERS[coding](body)


class _Compressors(threading.local):
    """Reused, but never by two threads at once."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL)


_compressors = _Compressors()


def _gunzip(body: bytes, limit: int) -> bytes:
    """One or more members (RFC 1952, 2.2)."""
    whole = b""
    for _ in range(MOST_MEMBERS):
        member, body = _inflate(body, GZIP, limit - len(whole))
        whole += member
        if not body:
            return whole
    raise Undecodable(f"more than {MOST_MEMBERS} members")


def _undeflate(body: bytes, limit: int) -> bytes:
    """In zlib's wrapping as the standard says, or without it as some servers send it. The header's checksum tells."""
    wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    whole, rest = _inflate(body, ZLIB if wrapped else RAW_DEFLATE, limit)
    if rest:
        raise Undecodable("bytes after the end")
    return whole


def _inflate(body: bytes, wrapping: int, limit: int) -> tuple[bytes, bytes]:
    decoder = zlib.decompressobj(wrapping)
    try:
        whole = decoder.decompress(body, limit + 1)
    except zlib.error as error:
        raise Undecodable(str(error)) from error
    _within(whole, limit)
    if not decoder.eof:
        raise Undecodable("cut short")
    return whole, decoder.unused_data


def _unbrotli(body: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    pieces, size = [], 0
    try:
        piece = decoder.process(body, output_buffer_limit=PIECE)
        while piece:
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise DecodedTooLarge(f"more than {limit} bytes")
            piece = b"" if decoder.is_finished() else decoder.process(b"", output_buffer_limit=PIECE)
    except brotli.error as error:
        raise Undecodable(str(error)) from error
    if not decoder.is_finished():
        raise Undecodable("cut short")
    return b"".join(pieces)


def _unzstd(body: bytes, limit: int) -> bytes:
    """One or more frames. The bounded reader cannot tell a cut frame from a whole one, and the strict decoder has no
    bound: so the first measures, then the second decodes."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    try:
        size = 0
        with decompressor.stream_reader(body, read_across_frames=True) as reader:
            while piece := reader.read(PIECE):
                size += len(piece)
                if size > limit:
                    raise DecodedTooLarge(f"more than {limit} bytes")
        whole = b""
        for _ in range(MOST_MEMBERS):
            frame = decompressor.decompressobj()
            whole += frame.decompress(body)
            if not frame.eof:
                raise Undecodable("cut short")
            if not (body := frame.unused_data):
                return whole
    except zstandard.ZstdError as error:
        raise Undecodable(str(error)) from error
    raise Undecodable(f"more than {MOST_MEMBERS} frames")


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise DecodedTooLarge(f"more than {limit} bytes")
    return body


_DECODERS: dict[bytes, Callable[[bytes, int], bytes]] = {
    b"identity": _within,
    b"gzip": _gunzip,
    b"x-gzip": _gunzip,
    b"deflate": _undeflate,
    b"br": _unbrotli,
    b"zstd": _unzstd,
}

_ENCODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"identity": bytes,
    b"gzip": lambda body: zlib.compress(body, ZLIB_LEVEL, GZIP),
    b"deflate": lambda body: zlib.compress(body, ZLIB_LEVEL, ZLIB),
    b"br": lambda body: bytes(brotli.compress(body, quality=BROTLI_QUALITY)),
    b"zstd": lambda body: _compressors.zstd.compress(body),
}
