"""What the engine and the fronts tell: one struct per fact. `observe` turns them into metrics and log lines.

No event holds question text, a raw scope, a credential or a body.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec

from gateway.core.denial import Then
from gateway.core.judgement import Finding, Origin
from gateway.core.messages import Cost, HitKind, Reason, Source
from gateway.core.synthesis import Written


class Outcome(StrEnum):
    """How a request of a route ended; the values of the metric label `outcome`."""

    HIT = "hit"
    STALE = "stale"
    COLLAPSED = "collapsed"
    SYNTHESIS = "synthesis"
    MISS = "miss"
    BYPASS = "bypass"
    REFUSED = "refused"
    ERROR = "error"
    SHADOW_HIT = "shadow-hit"
    SHADOW_MISS = "shadow-miss"
    WRITTEN = "written"


class Uncompared(StrEnum):
    """Why an answer from the cache was not compared with the upstream's; the values of the metric label `reason`."""

    BUSY = "busy"
    NO_ANSWER = "no-answer"


class Stage(StrEnum):
    """Steps that are timed; the values of the metric label `stage`."""

    REDIS = "redis"
    POSTGRES_EXACT = "postgres-exact"
    EMBED = "embed"
    NEAREST = "nearest"
    VERIFY = "verify"
    DENY = "deny"
    STORE = "store"
    LOCK = "lock"
    LIMIT = "limit"
    SYNTHESIS = "synthesis"


class Served(msgspec.Struct, frozen=True, gc=False):
    """A request was answered. `seconds` until the last byte was handed over; `age` of the entry in seconds, `cost` what
    a hit saved (under a name of the routes file) and `dollars` the same in money (None: no price is known), `kind` how it
    was found; `client` is a declared client's name. Of a SHADOW_HIT the entry is the one that would have been served, and
    `cost` what that would have saved."""

    route: str
    outcome: Outcome
    seconds: float
    status: int
    source: Source | None = None
    reason: Reason | None = None
    similarity: float | None = None
    age: float | None = None
    entry: str | None = None
    cost: Cost | None = None
    scope: bytes | None = None
    kind: HitKind | None = None
    client: str | None = None
    dollars: float | None = None


class Timed(msgspec.Struct, frozen=True, gc=False):
    stage: Stage
    seconds: float


class Kept(msgspec.Struct, frozen=True, gc=False):
    route: str
    bytes: int


class NotKept(msgspec.Struct, frozen=True, gc=False):
    route: str
    reason: Reason


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """A store, embedder or verifier failed or was late; `part` is its name in the routes file, `detail` holds no secret."""

    part: str
    detail: str


class Restarted(msgspec.Struct, frozen=True, gc=False):
    """A part that semgate itself runs did not, and does again; `part` and `detail` as in Trouble."""

    part: str
    detail: str


class BreakerMoved(msgspec.Struct, frozen=True, gc=False):
    """After repeated failures a part is skipped for a while (`open`), or used again."""

    part: str
    open: bool


class UpstreamTried(msgspec.Struct, frozen=True, gc=False):
    """One try of an upstream, up to its head. `result` is a status class (`2xx`), `connect`, `timeout` or `protocol`."""

    upstream: str
    result: str
    seconds: float


class Reloaded(msgspec.Struct, frozen=True, gc=False):
    """The routes file was read again; `result` is `ok`, `unchanged` or `failed`, `detail` why it failed."""

    result: str
    detail: str = ""


class Purged(msgspec.Struct, frozen=True, gc=False):
    """An operator purged so many stored entries."""

    entries: int


class Limited(msgspec.Struct, frozen=True, gc=False):
    """A declared client was refused: it is over its `requests`, `tokens` or `dollars`, or the route is not `allowed`."""

    client: str
    limit: str


class Denied(msgspec.Struct, frozen=True, gc=False):
    """A denied question was asked."""

    route: str
    then: Then


class Spent(msgspec.Struct, frozen=True, gc=False):
    """An upstream's answer to a declared client cost this; `dollars` None where no price is known."""

    client: str
    cost: Cost
    dollars: float | None = None


class Audited(msgspec.Struct, frozen=True, gc=False):
    """An upstream was asked only to compare its answer with one that had been served; on nobody's account. `dollars` None
    where no price is known."""

    route: str
    cost: Cost
    dollars: float | None = None


class Unjudged(msgspec.Struct, frozen=True, gc=False):
    """An answer from the cache that was to be compared with the upstream's, and was not."""

    route: str
    origin: Origin
    reason: Uncompared


class Proven(msgspec.Struct, frozen=True, gc=False):
    """What a route serves under its bound on errors has changed: hits of this strength or more; None: no more hits on other
    words. `detail` says why."""

    route: str
    least: float | None
    detail: str


class Synthesized(msgspec.Struct, frozen=True, gc=False):
    """An answer was to be made of kept ones, and this became of it. `cost` is what the model that makes them took (None: it was
    not asked), under its name in the routes file; `dollars` None where no price is known."""

    route: str
    result: Written
    cost: Cost | None = None
    dollars: float | None = None


class Embedded(msgspec.Struct, frozen=True, gc=False):
    """A remote embedder was paid for so many tokens; `route` on whose behalf, "" where an operator asked."""

    embedder: str
    tokens: int
    dollars: float = 0.0
    route: str = ""


class Judged(msgspec.Struct, frozen=True, gc=False):
    """A stored answer was compared with the right one, or somebody said what it was worth. `kind` is how it was or would
    have been found; `served`: had the client it?"""

    route: str
    origin: Origin
    finding: Finding
    kind: HitKind
    served: bool


class Advised(msgspec.Struct, frozen=True, gc=False):
    """A judge behind an API was paid for so many tokens; `dollars` None where no price is known, `route` as in Embedded."""

    verifier: str
    tokens: int
    dollars: float | None = None
    route: str = ""


Event: TypeAlias = (
    Served
    | Timed
    | Kept
    | NotKept
    | Trouble
    | Restarted
    | BreakerMoved
    | UpstreamTried
    | Reloaded
    | Purged
    | Limited
    | Denied
    | Spent
    | Embedded
    | Advised
    | Judged
    | Audited
    | Unjudged
    | Proven
    | Synthesized
)
