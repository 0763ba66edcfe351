"""Commands that move stored answers out of a gateway and into one: their options and help."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway.cli.operating import ROUTE, SCOPE
from gateway.cli.options import Reach, duration, form, talks_to_gateway

TEMPLATE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@ROUTE
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write this file instead of stdout, whole or not at all; gzipped if it ends in .gz.",
)
@talks_to_gateway
def export(reach: Reach, route: str | None, out: Path | None) -> None:
    """Write all stored answers as JSON lines.

    Questions and answers are readable in an export, whatever `at_rest` says: keep it like what it holds.

    \b
    Examples:
      semgate export --out answers.jsonl.gz
      semgate export --route chat | jq -r .question
    """
    from gateway.cli.export import run

    sys.exit(run(reach, route, out))


@click.command("import")
@click.argument("file", metavar="FILE")
@click.option("--route", metavar="NAME", help="The route of rows that do not name one.")
@click.option("--model", metavar="NAME", help="The model that clients will ask; for questions with answers.")
@click.option("--request", type=TEMPLATE, metavar="FILE", help="What a request looks like: JSON with {question} in it.")
@click.option("--response", type=TEMPLATE, metavar="FILE", help="What its answer looks like: JSON with {answer} in it.")
@click.option(
    "--preset", metavar="NAME", help="Whose form requests and answers have. Default: the route's, by the file."
)
@SCOPE
@click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="A header of all requests.")
@click.option("--path", metavar="PATH", help="The requests' path, where the route's has variables.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag of all entries, to purge them by.")
@click.option("--ttl", type=duration, metavar="DURATION", help="How long they are kept. Default: as the route says.")
@click.option("--batch", type=click.IntRange(1, 1000), default=200, show_default=True, help="Rows sent at once.")
@click.option(
    "--retries", type=click.IntRange(0, 100), default=5, show_default=True, help="Further tries of a batch that fails."
)
@click.option("--restart", is_flag=True, help="Begin anew, even if an import of this file was interrupted.")
@form("text")
@talks_to_gateway
def import_(
    reach: Reach,
    file: str,
    route: str | None,
    model: str | None,
    request: Path | None,
    response: Path | None,
    preset: str | None,
    scope: tuple[str, ...],
    headers: tuple[str, ...],
    path: str | None,
    tags: tuple[str, ...],
    ttl: float | None,
    batch: int,
    retries: int,
    restart: bool,
    form: str,
) -> None:
    """Store answers that are known already: warm the cache.

    FILE (`-` is stdin; gzip is taken as well) has JSON lines: those of an export, rows with a request's `body` and its
    `answer`, or a `question` and an `answer` as texts. These may also come as CSV with a header. For them it must be
    known what requests look like: the route's preset says it, or templates of your own do. All of a request but the
    question must be equal for a hit, so a template should be what your client sends.

    Rows whose question is there already are left as they are. An interrupted import goes on where it stopped when the
    same command is given again. Exit code 1 if a line could not be stored.

    \b
    Examples:
      semgate import answers.jsonl.gz
      semgate import faq.csv --route chat --model gpt-4o-mini --scope web
      semgate import faq.jsonl --route chat --request template.json --response answer.json
    """
    from gateway.cli.importing import Wishes, run
    from gateway.cli.lookup import headers_of

    wishes = Wishes(
        file=file,
        route=route,
        request=request,
        response=response,
        preset=preset,
        model=model,
        scope=scope,
        headers=headers_of(headers),
        path=path,
        tags=tags,
        ttl=ttl,
        batch=batch,
        retries=retries,
        restart=restart,
    )
    sys.exit(run(reach, wishes, form))
