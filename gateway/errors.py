"""Every error semgate raises on purpose, in one tree; each class says whose fault it is and its HTTP status.

    SemgateError
    ├── ConfigError                 the operator's: the routes file is wrong (start and reload refuse it)
    ├── ClientError                 the client's
    │   ├── AmbiguousRequest   400
    │   ├── Unauthorized       401
    │   ├── Forbidden          403
    │   ├── QuestionDenied     403  it is the operator's word that this is not answered
    │   ├── NoRoute            404
    │   ├── MethodNotAllowed   405
    │   ├── RequestBroken      400
    │   ├── InvalidFields      400  of a REST cache: what its body says cannot be used
    │   ├── NoEntry            404  ... there is no such entry in it
    │   ├── RequestTimeout     408
    │   ├── RequestTooLarge    413
    │   ├── NoWebSockets       426
    │   └── TooManyRequests    429
    ├── InvalidOrder           422  the operator's: a request to the admin API that cannot be carried out
    │   └── ReloadRefused      422  the routes file has errors, or what is new in it cannot be reached
    ├── DependencyDown         424  nobody's: a REST cache whose store, embedder or verifier is down has nobody to go on to
    ├── NotCached              504  nobody's: `only-if-cached` and nothing is cached (RFC 9111, 5.2.1.7)
    ├── UpstreamError          502  the upstream's
    │   ├── UpstreamTimeout    504
    │   └── UpstreamResting    503  it failed again and again, and is left alone for a while
    └── CacheTrouble                ours; the engine catches it by name, and the client never sees it
        ├── StoreError              a store is down, late or holds something unreadable
        ├── EmbedError              an embedder is down or late
        │   └── TextUnfit           longer than the model's window, or words it does not know: exact-only, nobody's fault
        ├── VerifierError           a verifier is down, late or over its budget
        ├── SynthesisError          a model that makes answers of kept ones is down or late, or says what cannot be used
        └── Undecodable             an answer's content-encoding is unknown, or its bytes are not what it says
            └── DecodedTooLarge     an answer is larger than allowed once decoded

Adapters translate foreign errors into these at one seam. Messages name the setting or upstream at fault and what to
do; they never hold a secret, a scope or a question.
"""

from __future__ import annotations

import msgspec


class SemgateError(Exception):
    """Root of the tree. `status` is the HTTP status a client would see, `title` the problem+json title."""

    status = 500
    title = "Internal error"


class ConfigError(SemgateError):
    """The routes file, or what it names, cannot be used; the message says which setting and what to do."""

    title = "Configuration error"


class ClientError(SemgateError):
    status = 400
    title = "Bad request"


class AmbiguousRequest(ClientError):
    """Two readers could take the request for two things (RFC 9112, 3.2 and 6.1)."""

    title = "Ambiguous request"


class Unauthorized(ClientError):
    status = 401
    title = "Unauthorized"


class Forbidden(ClientError):
    """A declared client may not use the route."""

    status = 403
    title = "Not this client's route"


class QuestionDenied(ClientError):
    """One of the route's `deny` refuses it; `name` is that one's."""

    status = 403
    title = "Question denied"

    def __init__(self, detail: str, name: str) -> None:
        super().__init__(detail)
        self.name = name


class NoRoute(ClientError):
    status = 404
    title = "No such route"


class MethodNotAllowed(ClientError):
    """`allow` lists the methods that the path does have."""

    status = 405
    title = "Method not allowed"

    def __init__(self, detail: str, allow: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.allow = allow


class RequestBroken(ClientError):
    """The client left, or what it sent cannot be taken apart: its server tells no difference."""

    title = "Request body broke off"


class FieldProblem(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request: which, what rule it breaks, and that in words."""

    field: str
    rule: str
    message: str


class InvalidFields(ClientError):
    """`fields` are the problems; empty where the body as a whole cannot be read."""

    title = "Invalid data"

    def __init__(self, fields: tuple[FieldProblem, ...], detail: str = "") -> None:
        super().__init__(detail or "; ".join(each.message for each in fields))
        self.fields = fields


class NoEntry(ClientError):
    status = 404
    title = "No such entry"


class RequestTimeout(ClientError):
    status = 408
    title = "Request body stopped arriving"


class RequestTooLarge(ClientError):
    status = 413
    title = "Request body too large"


class NoWebSockets(ClientError):
    """426 with `Upgrade: HTTP/1.1` (RFC 9110, 15.5.22): clients that can do both take it as a word to use plain HTTP."""

    status = 426
    title = "No WebSockets here"


class TooManyRequests(ClientError):
    """A declared client is over one of its limits: `limit` is `requests`, `tokens` or `dollars`; `retry_after`: whole
    seconds until it is worth while to ask again."""

    status = 429
    title = "Over the client's limit"

    def __init__(self, detail: str, limit: str, retry_after: int) -> None:
        super().__init__(detail)
        self.limit = limit
        self.retry_after = retry_after


class InvalidOrder(SemgateError):
    status = 422
    title = "The request cannot be carried out"


class ReloadRefused(InvalidOrder):
    """The old configuration runs on. `problems` of the file, as the admin API shows them (may be empty)."""

    title = "The configuration was not reloaded"

    def __init__(self, message: str, problems: tuple[msgspec.Struct, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class DependencyDown(SemgateError):
    status = 424
    title = "A part that is needed is down"


class NotCached(SemgateError):
    status = 504
    title = "Not in the cache"


class UpstreamError(SemgateError):
    """An upstream could not be reached or broke before its answer's head. `upstream` is its name in the routes file."""

    status = 502
    title = "Upstream failed"

    def __init__(self, detail: str, upstream: str) -> None:
        super().__init__(detail)
        self.upstream = upstream


class UpstreamTimeout(UpstreamError):
    status = 504
    title = "Upstream timed out"


class UpstreamResting(UpstreamError):
    """`retry_after`: whole seconds until it is worth while to ask again, 1 at least."""

    status = 503
    title = "Upstream left alone"

    def __init__(self, detail: str, upstream: str, retry_after: int) -> None:
        super().__init__(detail, upstream)
        self.retry_after = retry_after


class CacheTrouble(SemgateError):
    title = "Cache trouble"


class StoreError(CacheTrouble):
    pass


class EmbedError(CacheTrouble):
    pass


class TextUnfit(EmbedError):
    pass


class VerifierError(CacheTrouble):
    pass


class SynthesisError(CacheTrouble):
    pass


class Undecodable(CacheTrouble):
    pass


class DecodedTooLarge(Undecodable):
    pass
