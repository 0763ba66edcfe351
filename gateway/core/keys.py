"""Canonical bytes and the keyed digests made of them: scope, partition, exact key.

Every digest is keyed BLAKE2b (RFC 7693) with a key derived from `server.digest_key`, so a store's reader can neither
test guesses nor forge a key. Parts are length-framed: no two different lists of parts give the same bytes. A change of
anything here must raise KEY_VERSION: old entries are then never found, instead of being found wrongly.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

import msgspec

from gateway.core.messages import Subject

KEY_VERSION = b"1"
DIGEST_SIZE = 32

_canonical = msgspec.json.Encoder(order="sorted").encode
# Not a JSON value, so that nothing a client can send encodes to the same canonical bytes.
PLACEHOLDER = msgspec.Raw(b"\x00")


def canonical(value: object) -> bytes:
    """Canonical JSON bytes: sorted members, no white space. 1 and 1.0 stay apart; equal doubles are equal."""
    return _canonical(value)


def frame(*parts: bytes) -> bytes:
    """How many parts, how long each is (8 bytes, big-endian), then the parts: injective."""
    count = len(parts)
    return struct.pack(f">{count + 1}Q", count, *map(len, parts)) + b"".join(parts)


class Keyer:
    """The digests of one route. `static` is what all its requests have in common."""

    __slots__ = ("_exact", "_partition", "_scope")

    def __init__(self, key: bytes, *static: bytes) -> None:
        self._scope = blake2b(key=key, digest_size=DIGEST_SIZE, person=b"semgate.scope")
        self._partition = blake2b(frame(KEY_VERSION, *static), key=key, digest_size=DIGEST_SIZE, person=b"semgate.part")
        self._exact = blake2b(key=key, digest_size=DIGEST_SIZE, person=b"semgate.exact")

    def scope(self, *parts: bytes) -> bytes:
        """Who may share, as 32 bytes. Equal parts give equal digests on every route, so that a purge by scope can."""
        digest = self._scope.copy()
        digest.update(frame(*parts))
        return digest.digest()

    def partition(self, *parts: bytes) -> bytes:
        """All that must be equal, as 32 bytes."""
        digest = self._partition.copy()
        digest.update(frame(*parts))
        return digest.digest()

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that are equal where all digests are: same key, namespace, route, rule of extraction and upstream.
        They tell nothing of the key. (No request has a partition of one part.)"""
        return self.partition(b"fingerprint")[:16]

    def apart(self, subject: Subject) -> Subject:
        """The same question in a partition for its own form only: for answers that cannot be turned into the other."""
        assert subject.wanted is not None
        form = b"stream" if subject.wanted.stream else b"single"
        partition = self.partition(b"apart", subject.partition, form, b"usage" if subject.wanted.usage else b"")
        exact = self.exact(partition, [subject.exact])
        return msgspec.structs.replace(subject, partition=partition, exact=exact)

    def shelf(self, scope: bytes, within: bytes, context: bytes) -> bytes:
        """The partition of what is put by hand: who may share, and whatever else must be equal. (No request has one of so
        few parts.)"""
        return self.partition(b"by hand", scope, within, context)

    def label(self, scope: bytes, name: bytes, value: bytes) -> bytes:
        """One attribute of what was put by hand, in one scope."""
        return self.partition(b"attribute", scope, name, value)

    def exact(self, partition: bytes, pieces: list[bytes]) -> bytes:
        """Partition + the words of the text, as 32 bytes."""
        digest = self._exact.copy()
        digest.update(frame(partition, *pieces))
        return digest.digest()
