"""`semgate deny list|add|remove|report`: questions that are never answered from the cache."""

from __future__ import annotations

import msgspec

from gateway.cli.client import open_gateway
from gateway.cli.failure import note
from gateway.cli.options import Reach
from gateway.cli.removing import remove_each
from gateway.cli.showing import Column, count, visible, visible_json, write, write_json, write_table
from gateway.config.model_deny import DENIED_AT_LEAST
from gateway.core.denial import Then
from gateway.fronts.admin.deny_shapes import DeniedShown, DenyOrder

COLUMNS = (
    Column("id"),
    Column("route", spare=2),
    Column("name", spare=4),
    Column("from", spare=5),
    Column("then", spare=1),
    Column("near", right=True, spare=3),
    Column("asked", right=True, spare=6),
    Column("question", wraps=True),
)
# Of a question in the table; --format json has it whole.
LONGEST_QUESTION = 200


def list_denied(reach: Reach, route: str | None, form: str) -> int:
    """Print all that is denied; those of the routes file first."""
    with open_gateway(reach) as gateway:
        found = gateway.denied(route)
        if form == "jsonl":
            for denied in found:
                write(visible_json(msgspec.json.encode(denied).decode()))
            return 0
        listed = list(found)
    if form == "json":
        write_json(listed)
    elif listed:
        write_table(COLUMNS, [row for denied in listed for row in _rows(denied)])
    else:
        note("no question is denied" if route is None else f"no question is denied on route {route}")
    return 0


def add(
    reach: Reach,
    text: str,
    *,
    route: str | None,
    at_least: float | None,
    verify: bool,
    refuse: bool,
    answer: str | None,
    name: str | None,
    form: str,
) -> int:
    """Deny a question and print what became of it. An `answer` means that it is refused."""
    order = DenyOrder(
        text=text,
        route=route,
        at_least=DENIED_AT_LEAST if at_least is None else at_least,
        verify=verify,
        then=Then.REFUSE if refuse or answer is not None else Then.FORWARD,
        answer=answer,
        name=name,
    )
    with open_gateway(reach) as gateway:
        denied = gateway.deny(order)
    if form == "json":
        write_json(denied)
    else:
        what = "refused" if denied.then is Then.REFUSE else "forwarded, and not kept"
        where = "on all routes" if denied.route is None else f"on route {visible(denied.route)}"
        write(f"{visible(denied.id)}: {what}, {where}")
        if denied.compared == "words" and denied.at_least < 1:
            note("by its very words only: it does not fit the embedder, or the route compares exact words")
    return 0


def remove(reach: Reach, ids: tuple[str, ...]) -> int:
    """Take back each; 1 if one was not there, or stands in the routes file."""
    with open_gateway(reach) as gateway:
        return remove_each(ids, gateway.allow)


def report(reach: Reach, denied_id: str, question: str, form: str) -> int:
    """Report a question as not meant by a denied one."""
    with open_gateway(reach) as gateway:
        spared = gateway.report(denied_id, question)
    if form == "json":
        write_json(spared)
    else:
        write(f"{visible(spared.id)}: not denied by {visible(denied_id)} any more")
    return 0


def _rows(denied: DeniedShown) -> list[tuple[str, ...]]:
    """The denied question, and under it those that it does not mean."""
    near = "words" if denied.compared == "words" else f"{denied.at_least:g}"
    own = (
        visible(denied.id),
        visible(denied.route or "(all)"),
        visible(denied.name),
        denied.source,
        denied.then.value,
        near,
        count(denied.hits),
        "(sealed with another key)" if denied.text is None else _shortened(denied.text),
    )
    spared = [
        (visible(each.id), "", "", "", "", "", "", f"but not: {_shortened(each.question)}")
        for each in denied.false_positives
    ]
    return [own, *spared]


def _shortened(text: str) -> str:
    whole = visible(text)
    return whole if len(whole) <= LONGEST_QUESTION else whole[: LONGEST_QUESTION - 1] + "…"
