"""The `deny` commands: their options and help. The work is in `deny`, imported when it is done."""

from __future__ import annotations

import sys

import click

from gateway.cli.options import Reach, form, talks_to_gateway


@click.group(short_help="Questions that are never answered from the cache.")
def deny() -> None:
    """List, add and remove questions that are never answered from the cache."""


@deny.command("list")
@click.option("--route", metavar="NAME", help="Only what holds on this route.")
@form("table", "jsonl")
@talks_to_gateway
def deny_list(reach: Reach, route: str | None, form: str) -> None:
    """List denied questions: those of the routes file, then those that were added.

    Under each stand the questions that were reported as not meant by it.

    \b
    Examples:
      semgate deny list --route chat
      semgate deny list --format jsonl | jq -r 'select(.hits == 0).text'
    """
    from gateway.cli.deny import list_denied

    sys.exit(list_denied(reach, route, form))


@deny.command("add")
@click.argument("text")
@click.option("--route", metavar="NAME", help="On this route; without it on all.")
@click.option(
    "--at-least",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    help="Similarity from which other words mean it too; 1: the same words only. Default: 0.9.",
)
@click.option("--no-verify", is_flag=True, help="By similarity alone: the route's verifier is not asked.")
@click.option("--refuse", is_flag=True, help="Refuse it with status 403, instead of forwarding it.")
@click.option("--answer", metavar="TEXT", help="What a refused client is told; implies --refuse.")
@click.option("--name", metavar="NAME", help="What it is called in look-ups and towards clients. Default: its id.")
@form("text")
@talks_to_gateway
def deny_add(
    reach: Reach,
    text: str,
    route: str | None,
    at_least: float | None,
    no_verify: bool,
    refuse: bool,
    answer: str | None,
    name: str | None,
    form: str,
) -> None:
    """Never answer the question TEXT from the cache, in every worker and replica: forward it and keep nothing, or refuse it.

    \b
    Examples:
      semgate deny add "What is the status of my order?"
      semgate deny add "How do I cancel?" --route chat --answer "Please call us: 555 0100."
    """
    from gateway.cli.deny import add

    sys.exit(
        add(
            reach,
            text,
            route=route,
            at_least=at_least,
            verify=not no_verify,
            refuse=refuse,
            answer=answer,
            name=name,
            form=form,
        )
    )


@deny.command("remove")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@talks_to_gateway
def deny_remove(reach: Reach, ids: tuple[str, ...]) -> None:
    """Take back denied questions that were added, or reports of false positives.

    Exit code 1 if one of them was not there, or stands in the routes file.

    \b
    Example:
      semgate deny remove api-5f0a3c1d7b2e4a6f8c9d0e1f
    """
    from gateway.cli.deny import remove

    sys.exit(remove(reach, ids))


@deny.command("report")
@click.argument("denied_id", metavar="ID")
@click.argument("question")
@form("text")
@talks_to_gateway
def deny_report(reach: Reach, denied_id: str, question: str, form: str) -> None:
    """Report QUESTION as a false positive: it was taken for the denied question ID, and does not mean it.

    From then on its words are not taken for that one.

    \b
    Example:
      semgate deny report file-5f0a3c1d7b2e4a6f8c9d0e1f "How do I cancel my alarm?"
    """
    from gateway.cli.deny import report

    sys.exit(report(reach, denied_id, question, form))
