"""Commands that need no gateway: what would a route serve of these questions, and where should its thresholds be? Their
options and help."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from gateway.cli.options import CONFIG, form

ROUTE = click.option(
    "--route", metavar="NAME", help="Whose decision. Default: the only route of the file that compares questions."
)
OUT = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the result into this file instead of stdout, whole or not at all.",
)


def share(text: str) -> float:
    """`1%` or `0.01` -> 0.01: the type of options."""
    from gateway.config.units import parse_share

    try:
        value = float(parse_share(text.replace(" ", "")))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not {error}") from error
    if not 0 < value < 1:
        raise click.BadParameter(f"{text!r} is not between 0 and 100 %")
    return value


def plots(command: Callable[..., None]) -> Callable[..., None]:
    """`--plot`, checked by its ending."""

    def checked(_context: click.Context, _option: click.Parameter, value: Path | None) -> Path | None:
        if value is not None and value.suffix.lower() not in (".png", ".svg"):
            raise click.BadParameter("a plot is a .png or an .svg file")
        return value

    return click.option(
        "--plot",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        callback=checked,
        help="Draw the curves as well: FILE.png or FILE.svg (needs matplotlib, the extra `plot`).",
    )(command)


@click.command()
@click.argument("pairs", metavar="PAIRS.csv")
@CONFIG
@ROUTE
@form("table", "csv")
@OUT
@plots
def judge(pairs: str, config: Path | None, route: str | None, form: str, out: Path | None, plot: Path | None) -> None:
    """Score labelled pairs of questions as a route would.

    PAIRS.csv (`-` is stdin; gzip is taken as well) has the columns text_a, text_b and label: 1 if the same answer is right
    for both, 0 if not. Would text_b be answered with what was stored for text_a? Prints how many of each kind are
    served, and what it would be at other thresholds; --format csv has every pair with its similarity, its score and
    whether it is served. Without labels the pairs are only scored.

    \b
    Examples:
      semgate judge pairs.csv
      semgate judge pairs.csv.gz --route chat --format csv --out judged.csv
      semgate judge pairs.csv --plot curves.png
    """
    from gateway.cli.judge import run

    sys.exit(run(pairs, config, route, form, out, plot))


@click.command()
@click.argument("stream", metavar="STREAM.csv")
@CONFIG
@ROUTE
@form("table", "csv")
@OUT
@plots
def simulate(
    stream: str, config: Path | None, route: str | None, form: str, out: Path | None, plot: Path | None
) -> None:
    """Play a log of questions through a route's decision.

    STREAM.csv (`-` is stdin; gzip is taken as well) has the columns text and cluster, in the order of asking: questions
    with the same answer are of one cluster. A column scope keeps questions apart that do not share answers. The cache
    begins empty and keeps what it did not answer. Prints hits, wrong hits and misses, by the route's settings and at
    other thresholds.

    \b
    Examples:
      semgate simulate questions.csv --route chat
      zcat log.csv.gz | semgate simulate - --format json --out simulated.json
    """
    from gateway.cli.simulate import run

    sys.exit(run(stream, config, route, form, out, plot))


@click.command()
@click.option("--pairs", metavar="FILE", help="Labelled pairs, as for `semgate judge`.")
@click.option("--stream", metavar="FILE", help="A log of questions, as for `semgate simulate`.")
@click.option("--shadow", metavar="FILE", help="A shadow log: what `semgate shadow report --format jsonl` prints.")
@click.option(
    "--max-error",
    type=share,
    metavar="SHARE",
    default="1%",
    show_default=True,
    help="Of what is served, so much may be wrong.",
)
@click.option(
    "--prior",
    type=share,
    metavar="SHARE",
    help="With --pairs: how many of the candidates in your traffic have the right answer.",
)
@CONFIG
@ROUTE
@form("table", "csv")
@OUT
@plots
def calibrate(
    pairs: str | None,
    stream: str | None,
    shadow: str | None,
    max_error: float,
    prior: float | None,
    config: Path | None,
    route: str | None,
    form: str,
    out: Path | None,
    plot: Path | None,
) -> None:
    """Find the thresholds that hold a wished error rate.

    From labelled pairs, a log of questions or a shadow log (one of them; `-` is stdin): the loosest threshold at which,
    with 95 % confidence, no more than --max-error of what is served is wrong. Of the verifier's score where the route
    asks one, else of similarity. Prints the evidence at each threshold and the lines for the routes file.

    Exit code 3: the evidence is too thin, or no threshold holds the rate; it says which, and what it would take.

    \b
    Examples:
      semgate calibrate --stream questions.csv --route chat --max-error 1%
      semgate shadow report --route chat --format jsonl | semgate calibrate --shadow - --route chat
      semgate calibrate --pairs pairs.csv --prior 60% --plot evidence.svg
    """
    from gateway.cli.calibrate import Wishes, run

    given = [
        (kind, file) for kind, file in (("pairs", pairs), ("stream", stream), ("shadow", shadow)) if file is not None
    ]
    if len(given) != 1:
        raise click.UsageError("give one of --pairs, --stream and --shadow")
    if prior is not None and pairs is None:
        raise click.UsageError("--prior belongs to --pairs: a log has the shares of traffic already")
    kind, file = given[0]
    sys.exit(run(Wishes(kind, file, max_error, prior, config, route), form, out, plot))
