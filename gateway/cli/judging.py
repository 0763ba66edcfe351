"""Commands about right and wrong answers of a running gateway: their options and help. The work is in `shadow` and
`feedback`, imported when it is done."""

from __future__ import annotations

import sys

import click

from gateway.cli.operating import ROUTE
from gateway.cli.options import Reach, talks_to_gateway


@click.group()
def shadow() -> None:
    """See what shadow mode and audits found, or begin anew."""


@shadow.command("report")
@ROUTE
@click.option(
    "--since", metavar="DURATION", help="Only the last so long (24h, 7d). Default: all that is kept, 90 days at most."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "jsonl", "csv"]),
    default="table",
    show_default=True,
    help="jsonl: each comparison by itself, with the words: what `calibrate --shadow` reads.",
)
@talks_to_gateway
def shadow_report(reach: Reach, route: str | None, since: str | None, form: str) -> None:
    """Show what would have been served, and how often that was wrong.

    By route: requests looked up in shadow mode, would-be hits and what they would have saved; and the wrong answers among
    the hits that were compared with the upstream's, with a 95 % interval, by kind, similarity and score.

    \b
    Examples:
      semgate shadow report --route chat --since 7d
      semgate shadow report --format jsonl > log.jsonl && semgate calibrate --shadow log.jsonl --route chat
    """
    from gateway.cli.shadow import report

    sys.exit(report(reach, route, since, form))


@shadow.command("reset")
@click.argument("route")
@click.option("--yes", is_flag=True, help="Do it; without this it is only said what would go.")
@talks_to_gateway
def shadow_reset(reach: Reach, route: str, yes: bool) -> None:
    """Forget what was found on ROUTE, in every worker and replica.

    After another upstream model, or an answer policy that is new, what was found before says little. Pairs of questions
    that were found wrong are forgotten as well.

    \b
    Example:
      semgate shadow reset chat --yes
    """
    from gateway.cli.shadow import reset

    sys.exit(reset(reach, route, yes=yes))


@click.command()
@click.argument("entry_id", metavar="ID")
@click.argument("verdict", type=click.Choice(["right", "wrong"]))
@click.option(
    "--question", metavar="TEXT", help="What was asked, word for word: then the pair of questions is remembered."
)
@talks_to_gateway
def feedback(reach: Reach, entry_id: str, verdict: str, question: str | None) -> None:
    """Say that a stored answer was right or wrong. Its ID is what `X-Cache-Entry` said.

    A wrong one is removed, in every worker and replica, and counts against its route. Exit code 1 if it was not there.

    \b
    Example:
      semgate feedback 01a1fd2e-0ee4-7a1e-88fa-ed17bc9d7566 wrong --question "How do I turn it off?"
    """
    from gateway.cli.feedback import run

    sys.exit(run(reach, entry_id, verdict, question))
