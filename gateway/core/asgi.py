"""The shapes of ASGI's callables, and the keys under which a front and the app inside it speak in the scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

HeaderList: TypeAlias = list[tuple[bytes, bytes]]
Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

UPSTREAM_PATH: Final = "semgate.upstream_path"
"""bytes: the raw path to ask for, without query. Absent: the client's `raw_path`."""

UPSTREAM_VARIABLES: Final = "semgate.upstream_variables"
"""dict of str to raw bytes: the variables of the route's path, for upstreams with a path of their own. May be absent."""

BODY: Final = "semgate.body"
"""bytes: the request body, where the front has read it. Absent or None: the proxy reads it from `receive`."""

DROP_HEADERS: Final = "semgate.drop_headers"
"""frozenset of lower-case names (bytes): request headers that are the gateway's own and not forwarded."""

FINISH: Final = "semgate.finish"
"""() -> bool: shall the answer be read to its end even after the client has left? Asked then, and for every piece."""

CALLER: Final = "semgate.caller"
"""str: the name of the declared client that calls. Absent: none is declared."""

ACCOUNT: Final = "semgate.account"
"""Whom the answer of an upstream is put on, where its cost matters. Absent: nobody."""

TRACE: Final = "semgate.trace"
"""(str) -> headers: called for each try of an upstream, with its name; names in lower case, they go instead of the client's
own of these names. Absent: there are no traces."""

UPSTREAM: Final = "semgate.upstream"
"""The Target whose answer this is, set by the proxy before it sends the answer's head."""

ENVIRON: Final = "semgate.environ"
"""What a door was given where that is no ASGI scope: a WSGI environ, a client's request. May be absent."""

HIT: Final = "semgate.hit"
"""The Hit whose entry is the answer, set by the cache before it sends that. Absent: the answer is an upstream's, or semgate's
own."""

CLIENTS_DOOR: Final = "semgate.clients_door"
"""True: the request came where clients do, and the operator's door is elsewhere. May be absent."""

UNSEEN: Final = "semgate.unseen"
"""True: nobody but the cache gets this answer (a stale one is renewed, a served one audited). Absent: a client waits."""

DIRECT: Final = "semgate.direct"
"""True: what is sent is taken at once, so nothing of an answer needs to wait beside. Absent: as the client reads."""
