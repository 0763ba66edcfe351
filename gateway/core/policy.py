"""The decisions: may we look up, is it near enough, may we keep it. Each is a function from values to a Reason or None.

Nothing is forwarded, stored or read here. A new rule belongs here if two fronts would have to agree on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import msgspec

from gateway.core.body import Unreadable, parse
from gateway.core.dialects.base import Dialect
from gateway.core.freshness import AllowedWishes, Wishes, parse_cache_control, upstream_ttl
from gateway.core.jsonpath import JsonPath, compile_path
from gateway.core.messages import Cost, Entry, Form, Headers, Reason, Wanted
from gateway.core.streams import Event, form_of, last_data, split
from gateway.core.synthesis import SynthesisPolicy

# Kept decoded and served in a form the client accepts, so the encoding need not be equal.
HANDLED_VARY = frozenset({"accept-encoding"})
# A part of an answer is never the answer, whatever `keep.status` says.
PARTIAL = 206
LONGEST_MODEL = 256
"""Characters of a model's name that are remembered; no API has longer ones, and clients may send what they like."""
MOST_TOKENS = 1_000_000_000_000
"""An answer that says to have cost more says nothing: such numbers could neither be added up nor stored."""
# Answers that say that the upstream failed (RFC 5861, 4).
FAILURES = frozenset({500, 502, 503, 504})

_decode = msgspec.json.Decoder().decode


class Terminal(msgspec.Struct, frozen=True):
    """What the last event of a whole stream is: these `data`, or of this `name`, or with something at `path`."""

    data: bytes | None = None
    name: bytes | None = None
    path: JsonPath | None = None


def compile_terminal(text: str) -> Terminal:
    """`[DONE]`, `event:NAME` or a JSONPath, as `keep.terminal` has it."""
    if text.startswith("$"):
        return Terminal(path=compile_path(text))
    if text.startswith("event:"):
        return Terminal(name=text.removeprefix("event:").strip().encode())
    return Terminal(data=text.encode())


class KeepRule(msgspec.Struct, frozen=True):
    """What an answer must be to be stored. `statuses` holds numbers and classes (2 for 2xx); `vary` lower-case names of
    the request headers that are part of the partition; `max_body` bytes, before and after decoding. How a whole stream
    ends is the dialect's to say, or `terminal` says it; with neither no stream is kept."""

    statuses: frozenset[int]
    max_body: int
    require: tuple[JsonPath, ...]
    reject: tuple[JsonPath, ...]
    cookies: frozenset[bytes]
    vary: frozenset[str]
    dialect: Dialect | None = None
    terminal: tuple[Terminal, ...] = ()


class SecondOpinion(msgspec.Struct, frozen=True):
    """With a verifier: candidates at this cosine similarity or above are judged, and served at this score or above."""

    candidate: float
    at_least: float


class CachePolicy(msgspec.Struct, frozen=True):
    """One route's rules. `hit` is a cosine similarity, of no account where there is a second `opinion`; `top_k` a count of
    candidates; `ttl` and the two stale windows (RFC 5861) are seconds. `client_chooses`: the similarity that a client asks for
    counts instead of the route's. `model`: the one that is asked where requests name none."""

    hit: float
    top_k: int
    ttl: float
    keep: KeepRule
    allowed: AllowedWishes
    prompt_tokens: JsonPath | None = None
    completion_tokens: JsonPath | None = None
    stale_if_error: float = 0.0
    stale_while_revalidate: float = 0.0
    fresh_ids: bool = False
    opinion: SecondOpinion | None = None
    synthesis: SynthesisPolicy | None = None
    client_chooses: bool = False
    model: str = ""

    @property
    def keeps_synthesized(self) -> bool:
        """May an answer that was made of kept ones be kept, and served again?"""
        return self.synthesis is not None and self.synthesis.keep

    @property
    def stale(self) -> float:
        """How long past its ttl an entry may be of any use."""
        return max(self.stale_if_error, self.stale_while_revalidate)


class StaleUse(Enum):
    """FRESH: served. REVALIDATE: served while a new answer is fetched. IF_ERROR: served should the upstream fail."""

    FRESH = 0
    REVALIDATE = 1
    IF_ERROR = 2
    NONE = 3


def threshold(policy: CachePolicy, wishes: Wishes) -> float:
    """The similarity from which a candidate is served, or judged where the route asks for a second opinion: a client can
    ask for a nearer question, and for a farther one only where it is its to choose."""
    least = policy.hit if policy.opinion is None else policy.opinion.candidate
    if wishes.threshold is None:
        return least
    return wishes.threshold if policy.client_chooses else max(least, wishes.threshold)


def accepted(policy: CachePolicy, score: float | None) -> bool:
    """May a candidate that is near enough be served, by what the second opinion says of it (None: it has no say)?"""
    return policy.opinion is None or (score is not None and score >= policy.opinion.at_least)


def time_to_live(policy: CachePolicy, wishes: Wishes, headers: Headers) -> float:
    """Seconds to keep an answer: the route's (or the client's allowed wish), and no longer than the upstream says."""
    ttl = policy.ttl if wishes.ttl is None else wishes.ttl
    upstream = upstream_ttl(headers)
    return ttl if upstream is None else min(ttl, upstream)


def too_old(created_at: float, wishes: Wishes, now: float) -> bool:
    """Does the client's max-age rule this entry out? (RFC 9111 5.2.1.1)"""
    return wishes.max_age is not None and now - created_at > wishes.max_age


def answer_form(headers: Iterable[tuple[bytes, bytes]]) -> Form:
    """Is this the head of a stream?"""
    types = [value for name, value in headers if name == b"content-type"]
    return form_of(types[0]) if types else Form.SINGLE


def reject_form(rule: KeepRule, wanted: Wanted | None, form: Form) -> Reason | None:
    """May an answer of this form be kept for a request that wanted this? One form never answers for the other, unless
    a dialect can turn it into that."""
    if form is not Form.SINGLE:
        if rule.dialect is None and not rule.terminal:
            return Reason.STREAM
        if rule.dialect is not None and form is not rule.dialect.form:
            return Reason.FORM
    if rule.dialect is None and wanted is not None and wanted.stream is not (form is not Form.SINGLE):
        return Reason.FORM
    return None


def stale_use(policy: CachePolicy, entry: Entry, wishes: Wishes, now: float) -> StaleUse:
    """What an entry is good for at `now`, by its age past its ttl (RFC 5861). A client's `stale-if-error=N` may ask for
    less than the route allows, or for more, up to what is still there."""
    past = now - entry.expires_at
    if past < 0:
        return StaleUse.FRESH
    if past < min(policy.stale_while_revalidate, entry.stale):
        return StaleUse.REVALIDATE
    window = policy.stale_if_error if wishes.stale_if_error is None else wishes.stale_if_error
    return StaleUse.IF_ERROR if past < min(window, entry.stale) else StaleUse.NONE


def stale_time(policy: CachePolicy, headers: Headers) -> float:
    """Seconds past its ttl for which an answer stays: the route's, unless the upstream forbids it (RFC 9111 5.2.2.2)."""
    control = parse_cache_control(value for name, value in headers if name == b"cache-control")
    forbidden = "must-revalidate" in control or "proxy-revalidate" in control
    return 0.0 if forbidden else policy.stale


def reject_head(rule: KeepRule, wanted: Wanted | None, status: int, headers: Headers) -> Reason | None:
    """Why an answer with this head must not be kept; None where its body decides."""
    if status == PARTIAL or not (status in rule.statuses or status // 100 in rule.statuses):
        return Reason.STATUS
    control = parse_cache_control(value for name, value in headers if name == b"cache-control")
    if "no-store" in control or "private" in control or upstream_ttl(headers) == 0:
        return Reason.CACHE_CONTROL
    for name, value in headers:
        if name == b"set-cookie" and value.partition(b"=")[0].strip() not in rule.cookies:
            return Reason.SET_COOKIE
        if name == b"vary" and not _varies_within(rule, value):
            return Reason.VARY
        if name == b"content-length" and value.isdigit() and int(value) > rule.max_body:
            return Reason.TOO_LARGE
    return reject_form(rule, wanted, answer_form(headers))


def examine_body(rule: KeepRule, form: Form, body: bytes) -> list[list[object]] | Reason:
    """What the decoded body says: documents, each in its holder (one, or one per event of a stream that no dialect puts
    together); or why it must not be kept. A null member counts as absent, as APIs send `error: null`."""
    if len(body) > rule.max_body:
        return Reason.TOO_LARGE
    holders = _read_single(body) if form is Form.SINGLE else _read_stream(rule, split(body, form), form)
    if isinstance(holders, Reason):
        return holders
    if not all(any(_present(path, holder) for holder in holders) for path in rule.require):
        return Reason.REJECTED
    if any(_present(path, holder) for holder in holders for path in rule.reject):
        return Reason.REJECTED
    return holders


def _read_single(body: bytes) -> list[list[object]] | Reason:
    try:
        return [[parse(body)]]
    except Unreadable as unreadable:
        return unreadable.reason


def _read_stream(rule: KeepRule, events: list[Event], form: Form) -> list[list[object]] | Reason:
    if rule.dialect is not None:
        assembled = rule.dialect.assemble(events)
        return assembled if isinstance(assembled, Reason) else [[assembled.document]]
    holders: list[list[object]] = []
    for event in events:
        if event.name == b"error":
            return Reason.REJECTED
        if event.data is None:
            continue
        try:
            holders.append([_decode(event.data)])
        except (ValueError, RecursionError):  # msgspec's own are ValueErrors, and so is broken UTF-8
            if form is Form.NDJSON:
                return Reason.NOT_JSON
            holders.append([None])  # events need not be JSON: `[DONE]` is none
    last = last_data(events)
    if last is None or not any(_ends(terminal, last, holders[-1]) for terminal in rule.terminal):
        return Reason.INCOMPLETE
    return holders


def _ends(terminal: Terminal, last: Event, holder: list[object]) -> bool:
    if terminal.path is not None:
        return any(value is not None and value is not False for value in terminal.path.values(holder))
    if terminal.name is not None:
        return last.name == terminal.name
    return last.data is not None and last.data.strip() == terminal.data


def read_cost(policy: CachePolicy, model: str | None, holders: list[list[object]]) -> Cost:
    """What this answer cost: in a stream, what was said last. The model is as the request named it; the name that it is
    counted under is the tariff's to say (`prices`)."""
    prompt, completion = _tokens(policy.prompt_tokens, holders), _tokens(policy.completion_tokens, holders)
    return Cost((model or policy.model)[:LONGEST_MODEL], prompt, completion)


def _tokens(path: JsonPath | None, holders: list[list[object]]) -> int:
    if path is None:
        return 0
    counts = [
        value for holder in holders for value in path.values(holder) if type(value) is int and 0 < value <= MOST_TOKENS
    ]
    return counts[-1] if counts else 0


def _present(path: JsonPath, holder: list[object]) -> bool:
    return any(value is not None for value in path.values(holder))


def _varies_within(rule: KeepRule, value: bytes) -> bool:
    names = {name.strip().lower() for name in value.decode("latin-1").split(",") if name.strip()}
    return names <= (rule.vary | HANDLED_VARY)
