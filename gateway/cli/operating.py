"""Commands that look at a running gateway and change what it has: their options and help. The work is in modules of the
same names, imported when it is done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from gateway.cli.options import Reach, duration, form, talks_to_gateway

if TYPE_CHECKING:
    from gateway.config.report import Format

ROUTE = click.option("--route", metavar="NAME", help="Only what belongs to this route.")
SCOPE = click.option(
    "--scope",
    multiple=True,
    metavar="VALUE",
    help="Whose answers: the value that the route's `scope` would find (a client's name for `scope: client`), once for "
    "each extractor; or `digest:HEX` of an access log. Not needed on public routes.",
)


@click.command()
@click.option(
    "--interval", type=duration, metavar="DURATION", default="2s", show_default=True, help="Time between two looks."
)
@click.option(
    "--give-up",
    type=duration,
    metavar="DURATION",
    default="10m",
    show_default=True,
    help="How long a gateway that went away is asked for again.",
)
@click.option("--once", is_flag=True, help="Print one picture and end: for pipes and CI.")
@talks_to_gateway
def top(reach: Reach, interval: float, give_up: float, once: bool) -> None:
    """Watch the gateway's traffic live: rates, hits, latency, savings.

    By route: requests a second and hit rate of the last minute, and counts since the start. q or Ctrl-C quits.

    \b
    Examples:
      semgate top
      semgate top --interval 5s --url https://semgate.internal:9080
      semgate top --once > picture.txt
    """
    from gateway.cli.top import run

    sys.exit(run(reach, interval, give_up, once=once))


@click.command()
@form("table")
@talks_to_gateway
def stats(reach: Reach, form: str) -> None:
    """Show counts by route: hits, misses, reasons, savings, sizes.

    Counts are of this gateway with all its workers, since it started; entries and sizes are what is stored now. The hit
    rate is of all requests.

    \b
    Examples:
      semgate stats
      semgate stats --format json | jq '.routes[].hits'
    """
    from gateway.cli.stats import run

    sys.exit(run(reach, form))


@click.command()
@click.argument("route")
@click.argument("text", required=False)
@click.option("--body", metavar="FILE", help="The whole request's JSON body, instead of TEXT; `-` is stdin.")
@SCOPE
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of the request.")
@click.option("--path", metavar="PATH", help="The request's path, where the route's has variables.")
@form("table")
@talks_to_gateway
def lookup(
    reach: Reach,
    route: str,
    text: str | None,
    body: str | None,
    scope: tuple[str, ...],
    headers: tuple[str, ...],
    path: str | None,
    form: str,
) -> None:
    """Tell what would be served for a question on ROUTE, and why.

    With TEXT alone the nearest questions of the whole scope are shown; with --body the decision is the one that this very
    request would get. Nothing is sent upstream, and nothing is counted. Exit code 0: it would be a hit; 1: it would not.

    \b
    Examples:
      semgate lookup hello "How do I reset my password?"
      semgate lookup chat --body request.json --scope web
      semgate lookup chat "What is a refund?" --scope web --format json
    """
    from gateway.cli.lookup import headers_of, run

    sys.exit(run(reach, route, text, body, scope, headers_of(headers), path, form))


@click.command()
@click.option("--force", is_flag=True, help="Even if a store or embedder that is new in the file cannot be reached.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="How to print the problems.",
)
@talks_to_gateway
def reload(reach: Reach, force: bool, form: Format) -> None:
    """Have the gateway load its routes file again, in every worker.

    Prints the digest of what runs now. A file with errors changes nothing: they are printed as `semgate check` does, and
    the exit code is 1. The file is the one that the gateway was started with, on its machine.

    \b
    Example:
      semgate reload
    """
    from gateway.cli.reload import run

    sys.exit(run(reach, force=force, form=form))


@click.group()
def entries() -> None:
    """List, show and remove stored answers, one by one."""


@entries.command("list")
@ROUTE
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many.")
@click.option("--all", "everything", is_flag=True, help="All of them, however many they are.")
@form("table", "jsonl")
@talks_to_gateway
def entries_list(reach: Reach, route: str | None, limit: int, everything: bool, form: str) -> None:
    """List stored answers, the newest first.

    \b
    Examples:
      semgate entries list --route chat
      semgate entries list --all --format jsonl | jq -r .question
    """
    from gateway.cli.entries import list_entries

    sys.exit(list_entries(reach, route, None if everything else limit, form))


@entries.command("show")
@click.argument("entry_id", metavar="ID")
@form("table")
@talks_to_gateway
def entries_show(reach: Reach, entry_id: str, form: str) -> None:
    """Show one stored answer whole. Its ID is what `X-Cache-Entry` said.

    \b
    Example:
      semgate entries show 01a1fd2e-0ee4-7a1e-88fa-ed17bc9d7566
    """
    from gateway.cli.entries import show_entry

    sys.exit(show_entry(reach, entry_id, form))


@entries.command("rm")
@click.argument("entry_ids", metavar="ID...", nargs=-1, required=True)
@talks_to_gateway
def entries_rm(reach: Reach, entry_ids: tuple[str, ...]) -> None:
    """Remove stored answers, in every worker and replica. Exit code 1 if one of them was not there.

    \b
    Example:
      semgate entries rm 01a1fd2e-0ee4-7a1e-88fa-ed17bc9d7566
    """
    from gateway.cli.entries import remove_entries

    sys.exit(remove_entries(reach, entry_ids))


@click.command()
@ROUTE
@SCOPE
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Entries with this tag; several: with any of them.")
@click.option("--older-than", type=duration, metavar="DURATION", help="Entries stored longer ago than this.")
@click.option("--similar-to", metavar="TEXT", help="Entries whose question is near this one; needs --route.")
@click.option(
    "--at-least",
    type=click.FloatRange(0.0, 1.0),
    help="How near, from 0 to 1. Default: 0.9.",
)
@click.option("--all", "everything", is_flag=True, help="Everything that is stored.")
@click.option("--yes", is_flag=True, help="Do it; without this it is only counted.")
@form("text")
@talks_to_gateway
def purge(
    reach: Reach,
    route: str | None,
    scope: tuple[str, ...],
    tags: tuple[str, ...],
    older_than: float | None,
    similar_to: str | None,
    at_least: float | None,
    everything: bool,
    yes: bool,
    form: str,
) -> None:
    """Remove the stored answers that fit, in every worker and replica.

    What fits all that is given is purged; without --yes it is only counted. Answers that are on their way while the purge
    is ordered are not kept either.

    \b
    Examples:
      semgate purge --tag handbook-2025                    how many are there?
      semgate purge --tag handbook-2025 --yes              away with them
      semgate purge --route chat --older-than 7d --yes
      semgate purge --route chat --similar-to "refund policy" --at-least 0.85
      semgate purge --all --yes
    """
    from gateway.cli.purge import run

    sys.exit(
        run(
            reach,
            route=route,
            scope=scope,
            tags=tags,
            older_than=older_than,
            similar_to=similar_to,
            at_least=at_least,
            everything=everything,
            yes=yes,
            form=form,
        )
    )
