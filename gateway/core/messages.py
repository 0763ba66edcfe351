"""The values that pass between the rooms: Request, Subject, Entry, Candidate, the verdicts and their reasons.

No behaviour beyond trivial derivations lives here. Times are Unix seconds (float), digests are raw bytes, vectors are
the little-endian float32 bytes of a unit vector (4 x dimensions), so that a value is hashable and needs no library.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import msgspec

if TYPE_CHECKING:
    from gateway.core.ports import Seat
    from gateway.core.recording import Recording
    from gateway.core.synthesis import Draft

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
Vector: TypeAlias = bytes


class Reason(StrEnum):
    """Why a request was not looked up, not answered from the cache, or an answer not kept. Values are metric labels."""

    # bypass: the request is forwarded untouched
    OFF = "off"
    NO_SCOPE = "no-scope"
    NO_TEXT = "no-text"
    NOT_JSON = "not-json"
    AMBIGUOUS_JSON = "ambiguous-json"
    BODY_TOO_LARGE = "body-too-large"
    BYPASS_RULE = "bypass-rule"
    DENIED = "denied"
    STREAM = "stream"
    EXTRACTOR = "extractor"
    # miss: looked up, nothing near enough, or the look-up could not finish
    NO_CANDIDATE = "no-candidate"
    BELOW_THRESHOLD = "below-threshold"
    EXACT_ONLY = "exact-only"
    REQUESTED = "requested"
    TOO_OLD = "too-old"
    STALE = "stale"
    OTHER_FORM = "other-form"
    STORE_TROUBLE = "store-trouble"
    EMBEDDER_TROUBLE = "embedder-trouble"
    UNVERIFIED = "unverified"
    VERIFIER_TROUBLE = "verifier-trouble"
    SHADOW = "shadow"
    UNPROVEN = "unproven"
    # not kept: forwarded and answered, but nothing was stored
    STATUS = "status"
    CACHE_CONTROL = "cache-control"
    SET_COOKIE = "set-cookie"
    VARY = "vary"
    FORM = "form"
    ENCODING = "encoding"
    TOO_LARGE = "too-large"
    INCOMPLETE = "incomplete"
    CLIENT_LEFT = "client-left"
    REJECTED = "rejected"
    NOT_EQUIVALENT = "not-equivalent"
    STORE_BUSY = "store-busy"
    TAGS = "tags"
    PURGED = "purged"
    NOT_WANTED = "not-wanted"


class Source(StrEnum):
    """The tier that held the entry; the values of `X-Cache-Source`."""

    MEMORY = "memory"
    REDIS = "redis"
    POSTGRES = "postgres"


class HitKind(StrEnum):
    """How a hit was found; the values of `detail` in `Cache-Status`."""

    EXACT = "exact"
    SEMANTIC = "semantic"
    VERIFIED = "verified"
    SYNTHESIS = "synthesis"


class Form(StrEnum):
    """Is an answer one document or a stream of events, and how are events told apart?"""

    SINGLE = "json"
    SSE = "sse"
    NDJSON = "ndjson"


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """The form that a request asks for: a stream or a single answer, and whether the stream shall end with its usage."""

    stream: bool = False
    usage: bool = False


class TextOnly(msgspec.Struct, frozen=True, gc=False):
    """A request asks for a text and for nothing else, of so many tokens at most (None: it does not say)."""

    most_tokens: int | None = None


class Subject(msgspec.Struct, frozen=True, gc=False):
    """Scope + partition (all that must be equal) + text (what may be similar), and the keys made of them.

    Nothing is embedded where the request is exact-only. `wanted` is None on a route that does not say how a stream is
    asked for: there an answer is replayed in the form it came in. `tags` are what the request says to purge its answer
    by, fit to be stored or not; they are no part of any key. `text_only` where an answer may be made of kept ones.
    """

    scope: bytes
    partition: bytes
    exact: bytes
    text: str
    exact_only: bool
    model: str | None
    wanted: Wanted | None = None
    tags: tuple[str, ...] = ()
    text_only: TextOnly | None = None


class Cost(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an answer cost its first asker, in tokens, and the model: as the request named it, or, in an event, under the
    name that it is counted under (see `prices`)."""

    model: str = ""
    prompt: int = 0
    completion: int = 0


class Shelfmark(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What an entry that a program put by hand is found by: the digest of its question's words (of its partition, whatever
    its attributes), its attributes, and a digest of each (see `shelving`)."""

    words: bytes
    attributes: tuple[tuple[str, str], ...] = ()
    labels: tuple[bytes, ...] = ()


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A stored response, whole. `headers` are already the replay allow-list, `body` is decoded (no content-encoding).

    `stale` is how many seconds after `expires_at` it may still be of use, `pace` when its pieces came (see `pace`),
    `compressed` whether the upstream sent it so, `usage_asked` whether its request wanted usage in the stream, `tags` what
    it can be purged by. Only what was put by hand has a `mark`; `synthesized`: it was made of other entries.
    """

    id: str
    route: str
    scope: bytes
    partition: bytes
    exact: bytes
    status: int
    headers: Headers
    body: bytes
    asked_at: float
    created_at: float
    expires_at: float
    cost: Cost = Cost()
    form: Form = Form.SINGLE
    stale: float = 0.0
    pace: bytes = b""
    compressed: bool = False
    usage_asked: bool = False
    tags: tuple[str, ...] = ()
    mark: Shelfmark | None = None
    synthesized: bool = False

    def size(self) -> int:
        """Bytes this entry is counted as wherever entries are bounded by bytes (512 stands for the object itself)."""
        headers = sum(len(name) + len(value) for name, value in self.headers)
        marked = 0 if self.mark is None else sum(len(name) + len(value) for name, value in self.mark.attributes)
        return len(self.body) + len(self.pace) + headers + sum(map(len, self.tags)) + marked + 512


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """An entry near the question. `similarity` is cosine in 0..1; `entry` is loaded only where it may be served, and
    `question`, in whose words it was asked for, only where a second opinion needs it (None: it cannot be read). `exact` is
    the entry's key."""

    id: str
    similarity: float
    entry: Entry | None
    exact: bytes = b""
    question: str | None = None


class Near(msgspec.Struct, frozen=True, gc=False):
    """A question that was asked before, as a verifier sees it: its words, and its cosine similarity to the one asked now."""

    text: str
    similarity: float


class Hit(msgspec.Struct, frozen=True, gc=False):
    """Answer with `shown`: the entry itself, or the same in the form that the client asked for. A stale one is shown while
    `refresh` watches a new answer being fetched (None: somebody else fetches it already). `score` is the second opinion's,
    `question` in whose words the entry was asked for: both only where one was asked. `audit` watches the answer that the
    upstream would have given, to be compared once the client has this one. `draft`: an answer made for these words is tried
    first, and this one where there is none."""

    entry: Entry
    shown: Entry
    kind: HitKind
    source: Source
    similarity: float | None
    stale: bool = False
    refresh: Recording | None = None
    score: float | None = None
    question: str | None = None
    audit: Recording | None = None
    draft: Draft | None = None


class Miss(msgspec.Struct, frozen=True, gc=False):
    """Forward, and show `recording` (None: do not keep) what passes by. `similarity` is the best seen, if any; `stale` is
    what to answer should the upstream fail; `would_be` is what the route does not serve, but compares with the answer. `draft`:
    before the upstream a model may be asked that makes an answer of kept ones; in shadow mode its answer is only compared."""

    reason: Reason
    recording: Recording | None
    similarity: float | None
    stale: Hit | None = None
    would_be: Hit | None = None
    draft: Draft | None = None


class Follow(msgspec.Struct, frozen=True, gc=False):
    """The same request is being answered upstream: go along with it; where that is not to be, do as `otherwise` says."""

    seat: Seat
    otherwise: Miss


class Bypass(msgspec.Struct, frozen=True, gc=False):
    reason: Reason


class Denial(msgspec.Struct, frozen=True, gc=False):
    """What a client is told of a refused question: which word of the operator's denies it, and the answer given instead."""

    name: str
    answer: str


class Refuse(msgspec.Struct, frozen=True, gc=False):
    """Answer without the upstream: a denied question (`denial`), or `only-if-cached` on a miss."""

    reason: Reason
    denial: Denial | None = None


Verdict: TypeAlias = "Hit | Miss | Follow | Bypass | Refuse"


class Request(msgspec.Struct, gc=False):
    """One client request as extractors and keys see it.

    Header names are lower-case bytes. `path` and `upstream_path` are raw bytes as they came or will go (percent-encoding
    untouched, no query string). `client` identifies who calls: a declared client's name, or the credentials presented.
    Inside a program, `state` is what its own authentication knows of the caller, and `given` what its callables gave, by the
    name of the setting; a gateway has neither.
    """

    method: str
    path: bytes
    query_string: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    path_params: dict[str, str]
    upstream_path: bytes
    client: bytes | None
    asked_at: float
    state: object = None
    given: dict[str, object] | None = None
