"""What is said of an answer of the REST cache in headers: the words that every cached route has, without an upstream."""

from __future__ import annotations

import msgspec

from gateway.core.asgi import HeaderList
from gateway.core.freshness import age
from gateway.core.messages import Reason, Source
from gateway.core.status import Expose
from gateway.engine.shelved import Looked


class Told(msgspec.Struct, frozen=True):
    """`added` are headers that go out with every answer of the route."""

    expose: Expose
    added: HeaderList

    def searched(self, looked: Looked, now: float) -> HeaderList:
        """Of a search: of the best that was found, or why nothing was."""
        if self.expose is Expose.NONE:
            return self.added
        if not looked.found:
            return self.other(looked.reason or Reason.NO_CANDIDATE, b"MISS", looked.similarity)
        best = looked.found[0]
        ttl = max(0, int(best.expires_at - now))
        status = b"semgate; hit; ttl=%d; detail=%s" % (ttl, best.kind.encode())
        headers = [*self.added, (b"cache-status", status), (b"age", b"%d" % age(best.created_at, now))]
        if self.expose is Expose.ALL:
            headers += [
                (b"x-cache", b"HIT"),
                (b"x-cache-source", Source.POSTGRES.encode()),
                (b"x-cache-entry", best.id.encode()),
                (b"x-cache-similarity", b"%.4f" % best.similarity),
            ]
        return headers

    def other(self, reason: Reason, word: bytes, similarity: float | None = None) -> HeaderList:
        """Where nothing came out of the cache: why, and in a word."""
        if self.expose is Expose.NONE:
            return self.added
        headers = [*self.added, (b"cache-status", b"semgate; detail=%s" % reason.encode())]
        if self.expose is Expose.ALL:
            headers.append((b"x-cache", word))
            if similarity is not None:
                headers.append((b"x-cache-similarity", b"%.4f" % similarity))
        return headers
