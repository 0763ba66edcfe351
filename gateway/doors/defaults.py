"""What a door does where nothing was configured, and the namespace of programs that name none."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from msgspec.structs import replace

from gateway.config.model_serving import Coalesce
from gateway.config.objects import Prepared
from gateway.doors.who import who_calls

# Where a program that says nothing finds what it stands on: as a gateway does, if its file is like the one that is shipped.
SERVER: Mapping[str, object] = MappingProxyType(
    {"data_dir": "${SEMGATE_DATA:-~/.local/share/semgate}", "digest_key": "${SEMGATE_DIGEST_KEY:-}"}
)
STORES: Mapping[str, object] = MappingProxyType(
    {"postgres": {"url": "${SEMGATE_POSTGRES_URL:-embedded}"}, "redis": {"url": "${SEMGATE_REDIS_URL:-}"}}
)
# In any app: questions in the usual members, kept apart by who calls and by what answer was asked for.
APP: Mapping[str, object] = MappingProxyType(
    {
        "server": SERVER,
        "stores": STORES,
        "routes": [
            {
                "name": "app",
                "path": "/*",
                "preset": "json-query",
                "scope": who_calls,
                # The last three are in the scope already: here, so that an answer may say that it varies by them.
                "vary": {"headers": ["Accept", "Accept-Language", "Authorization", "Cookie", "Origin"]},
            }
        ],
    }
)


def project_namespace() -> str:
    """One for each working directory: programs of one user share a data folder, and their answers are nobody else's."""
    return f"app-{sha256(str(Path.cwd()).encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def nobody_follows(prepared: Prepared) -> Prepared:
    """For a cache that takes an answer only as fast as its client reads: whoever followed it would wait for a stranger. So
    nobody does, unless a route says so."""
    routes = tuple(
        replace(each, coalesce=replace(each.coalesce, followers=0)) if each.coalesce == Coalesce() else each
        for each in prepared.settings.routes
    )
    return replace(prepared, settings=replace(prepared.settings, routes=routes))
