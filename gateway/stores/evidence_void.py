"""What goes from the judgements when something is purged, and the marks by which other processes hear of it.

Purges that name no more than a route and scopes take judgements along; those that name single entries take the words of
judgements on them, but for entries that were found wrong: those were purged for it.
"""

# ruff: noqa: S608 (only fixed expressions are put into statements, never a value)

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.stores.schema import Connection

ANY_ROUTE = ""
SKEW = 60.0
"""Seconds that clocks of replicas may be apart."""

# The purges of the log that void judgements: those that name no more than a route and scopes. $1 namespace, $2 made since.
_PLAIN = """
    SELECT before, route FROM semgate.purges WHERE namespace = $1 AND made_at >= $2
    AND scopes = '{}' AND tags = '{}' AND exact = '{}' AND vector IS NULL
    """
_SCOPED = """
    SELECT before, route, unnest(scopes) AS scope FROM semgate.purges WHERE namespace = $1 AND made_at >= $2
    AND scopes <> '{}' AND tags = '{}' AND exact = '{}' AND vector IS NULL
    """
_SINGLE = "SELECT before, unnest(exact) AS other FROM semgate.purges WHERE namespace = $1 AND made_at >= $2"
_VOID = (
    f"""
    DELETE FROM semgate.judgements j USING ({_PLAIN}) p
    WHERE j.namespace = $1 AND j.at < p.before AND (p.route IS NULL OR p.route = j.route)
    """,
    f"""
    DELETE FROM semgate.judgements j USING ({_SCOPED}) p
    WHERE j.namespace = $1 AND j.scope = p.scope AND j.at < p.before AND (p.route IS NULL OR p.route = j.route)
    """,
)
_WORDLESS = f"""
    UPDATE semgate.judgements j SET question = NULL, asked_before = NULL FROM ({_SINGLE}) p
    WHERE j.namespace = $1 AND j.other = p.other AND j.at < p.before AND j.finding <> 'wrong'
    AND (j.question IS NOT NULL OR j.asked_before IS NOT NULL)
    """


async def void(connection: Connection, namespace: str, since: float) -> int:
    """Remove what purges made since then (Unix seconds) cover; how many judgements went. Raises what asyncpg raises."""
    gone = 0
    for statement in _VOID:
        gone += count_of(await connection.execute(statement, namespace, since - SKEW))
    await connection.execute(_WORDLESS, namespace, since - SKEW)
    if gone:
        await mark(connection, namespace, ANY_ROUTE, 0.0)
    return gone


async def mark(connection: Connection, namespace: str, route: str, before: float) -> None:
    """Tell that rows have gone: of this route those judged before then, or some of any. Raises what asyncpg raises."""
    await connection.execute(
        "INSERT INTO semgate.evidence_marks AS held (namespace, route, before, removals) VALUES ($1, $2, $3, 1) "
        "ON CONFLICT (namespace, route) DO UPDATE SET (before, removals) = (greatest(held.before, $3), held.removals + 1)",
        *(namespace, route, before),
    )


def count_of(done: str) -> int:
    """Rows, of what PostgreSQL says it did: `DELETE 3`."""
    return int(done.rpartition(" ")[2])
