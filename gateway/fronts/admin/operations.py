"""What the operator's door asks of the running gateway, and the values that pass: the API's own shapes.

The controllers, the dashboard and the command line all speak in these types; `runtime.operations` is behind them, so
that this front knows neither settings nor stores. Times are Unix seconds, digests and ids are text.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from gateway.core.asgi import HeaderList
from gateway.fronts.admin.deny_shapes import DeniedPage, DeniedShown, DenyOrder, SparedShown
from gateway.fronts.admin.judged import FeedbackOrder, FeedbackResult, ShadowReport, ShadowReset
from gateway.fronts.clients import Caller


class Readiness(msgspec.Struct, frozen=True):
    """`status` is `ready`, or `degraded` where a part is down: requests are forwarded, less is cached. `parts` maps each
    store and embedder to `ok` or what is wrong with it."""

    status: str
    parts: dict[str, str]


class RunningRoute(msgspec.Struct, frozen=True):
    name: str
    path: str
    upstream: str
    mode: str


class Running(msgspec.Struct, frozen=True):
    """The configuration that runs: digest of all settings, when it was loaded, why the last load failed (None: it did
    not), the routes in the order of the file, and settings that were changed but take effect at the next start only."""

    digest: str
    loaded_at: float
    last_error: str | None
    routes: list[RunningRoute]
    restart_needed: list[str] = []


class Reloaded(msgspec.Struct, frozen=True):
    """`changed` is False where the file says what runs already."""

    digest: str
    changed: bool


class FileProblem(msgspec.Struct, frozen=True):
    """One problem of a routes file: where it is (JSON path, file, line and column from 1), what, and what would be right."""

    path: str
    file: str
    line: int
    column: int
    level: str
    text: str
    hint: str = ""


class LookupQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What would be served? `body` is a request's JSON body as a client would send it (empty or null: none); with `text`
    alone, all partitions of the scope are searched. `scope` as its extractor would find it; `headers` and `path` (with
    its query string) of the request where they matter."""

    route: str
    body: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    text: str | None = None
    scope: str | list[str] | None = None
    headers: dict[str, str] = {}
    path: str | None = None


class LookupCandidate(msgspec.Struct, frozen=True):
    """`verifier_score` is None where no second opinion was asked; `question` None where it cannot be shown."""

    entry: str
    similarity: float
    verifier_score: float | None
    served: bool
    question: str | None = None
    why: str = ""


class LookupStep(msgspec.Struct, frozen=True):
    """One step of the decision: what was done (`subject`, `memory`, `redis`, `postgres-exact`, `embed`, `nearest`, ...),
    what came of it in words, and how long it took."""

    step: str
    result: str
    ms: float | None = None


class LookupAnswer(msgspec.Struct, frozen=True):
    """`verdict` is `hit`, `miss`, `bypass` or `refuse`; `subject` holds no secret: digests, model, form, text length."""

    verdict: str
    reason: str | None
    candidates: list[LookupCandidate]
    subject: dict[str, str | int | bool | None] = {}
    steps: list[LookupStep] = []


class EntryShown(msgspec.Struct, frozen=True):
    """`question` is None where it does not open with this gateway's key."""

    id: str
    route: str
    created_at: float
    expires_at: float
    hits: int
    bytes: int
    tags: list[str]
    question: str | None


class EntryWhole(EntryShown, frozen=True):
    """With its answer. `body` is text, or base64 where it is not UTF-8 (`encoding` says which); `synthesized`: it was made of
    other entries; `attributes` are those that a program put it in with."""

    status: int = 0
    headers: list[tuple[str, str]] = []
    body: str = ""
    encoding: str = "utf-8"
    form: str = "json"
    last_used: float = 0.0
    asked_at: float = 0.0
    synthesized: bool = False
    attributes: dict[str, str] = {}


class EntriesPage(msgspec.Struct, frozen=True):
    """`next` is what to ask for as `after`; None: this was the last page."""

    entries: list[EntryShown]
    next: str | None


class Similar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    at_least: float = 0.9


class PurgeOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which entries: all that fit everything given (nothing given: all). `tags`: any of them. `older_than` is a duration
    (`24h`) or seconds; `similar_to` a text, or a text and `at_least`, and needs a route."""

    route: str | None = None
    scope: str | list[str] | None = None
    tags: list[str] | None = None
    older_than: str | float | None = None
    similar_to: str | Similar | None = None
    dry_run: bool = True


class PurgeResult(msgspec.Struct, frozen=True):
    matched: int
    purged: int


class Saved(msgspec.Struct, frozen=True):
    """What hits did not spend. `dollars` is net of what embeddings cost; None where no price is known."""

    prompt_tokens: int
    completion_tokens: int
    dollars: float | None


class RouteStats(msgspec.Struct, frozen=True):
    """Counts since the gateway started. `hits` by kind, `bypasses` and `not_kept` by reason; `entries` and `bytes` are
    what is stored now, None while PostgreSQL does not answer. `seconds` and `similarities` by outcome. `proof`: what the
    route serves under its bound on errors, and why; None where it has none. `would_be`: hits of shadow mode by kind; `judged`: answers
    from the cache by origin and finding; `synthesis`: answers that were to be made of kept ones, by what became of them."""

    requests: int
    hits: dict[str, int]
    stale: int
    collapsed: int
    misses: int
    bypasses: dict[str, int]
    refused: int
    errors: int
    not_kept: dict[str, int]
    saved: Saved
    entries: int | None
    bytes: int | None
    seconds: dict[str, Distribution] = {}
    similarities: dict[str, Distribution] = {}
    proof: str | None = None
    would_be: dict[str, int] = {}
    judged: dict[str, dict[str, int]] = {}
    synthesis: dict[str, int] = {}


class Distribution(msgspec.Struct, frozen=True):
    """A histogram: `counts[i]` observations at or below `bounds[i]` and above the bound before (not cumulative); one more
    count than bounds for what is above the last."""

    bounds: list[float]
    counts: list[int]


class Stats(msgspec.Struct, frozen=True):
    """Of this gateway with all its workers. `seconds` by outcome, `similarities` by outcome, of all routes together."""

    since: float
    routes: dict[str, RouteStats]
    seconds: dict[str, Distribution] = {}
    similarities: dict[str, Distribution] = {}


class Moment(msgspec.Struct, frozen=True):
    """Totals of all routes at a time, for charts over time: differences of neighbours are what happened between."""

    at: float
    requests: int
    hits: int
    misses: int
    bypasses: int
    errors: int
    dollars: float
    routes: dict[str, tuple[int, int]] = {}
    """Requests and hits by route."""


class Imported(msgspec.Struct, frozen=True):
    """What became of a batch: `problems` are (line from 1, what is wrong)."""

    kept: int
    known: int
    problems: list[tuple[int, str]] = []


class Operations(Protocol):
    """What the running gateway can tell an operator and do for one. Methods raise StoreError where PostgreSQL is needed
    and does not answer, InvalidOrder for unknown routes, scopes without a route and the like."""

    @property
    def admin_token(self) -> str:
        """Empty: nothing but live, ready and metrics is shown."""

    async def readiness(self) -> Readiness: ...

    def running(self) -> Running: ...

    def metrics(self) -> bytes:
        """Prometheus text format."""

    async def reload(self, *, force: bool) -> Reloaded:
        """Load the routes file again, in every worker; returns once all have. Raises ReloadRefused."""

    async def stats(self) -> Stats: ...

    def history(self) -> list[Moment]:
        """Samples of the last day, oldest first: one each 10 s for the last hour, one a minute before that."""

    async def lookup(self, question: LookupQuestion) -> LookupAnswer: ...

    async def entries(self, *, route: str | None, limit: int, after: str | None) -> EntriesPage: ...

    async def entry(self, entry_id: str) -> EntryWhole | None: ...

    async def remove(self, entry_id: str) -> bool:
        """False where there is none of this id."""

    async def purge(self, order: PurgeOrder) -> PurgeResult: ...

    async def denied(self, *, route: str | None, limit: int, after: str | None) -> DeniedPage:
        """What is denied on this route (None: on any), by the routes file and by operators."""

    async def deny(self, order: DenyOrder) -> DeniedShown: ...

    async def allow(self, denied_id: str) -> bool:
        """Take back a denied question, or a false positive. False where operators added none of this id."""

    async def spare(self, denied_id: str, question: str) -> SparedShown | None:
        """The question is not meant by this denied one; None where there is none of this id."""

    def export(self, route: str | None) -> AsyncIterator[bytes]:
        """All entries as JSON lines."""

    async def import_lines(self, lines: bytes, *, route: str | None) -> Imported:
        """Store a batch of JSON lines: exported ones, or questions with their answers. Those already there are left."""

    def caller_of(self, headers: HeaderList) -> Caller | None:
        """The declared client that sends these; None where it is none."""

    @property
    def has_clients(self) -> bool:
        """Are any declared?"""

    async def feedback(self, order: FeedbackOrder, caller: Caller | None, headers: HeaderList) -> FeedbackResult | None:
        """A word on an entry; `caller` None: the operator's. None where there is no such entry, or it is not this
        client's. Raises TooManyRequests."""

    async def shadow(self, *, route: str | None, since: str | None) -> ShadowReport:
        """What shadow mode, audits and feedback found for so long (`24h`, or seconds; None: as long as it is kept)."""

    def shadow_log(self, route: str | None, since: str | None) -> AsyncIterator[bytes]:
        """Each judgement as a JSON line, a ShadowLine."""

    async def reset_shadow(self, route: str) -> ShadowReset:
        """Begin anew with a route, in every worker and replica."""
