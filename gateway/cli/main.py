"""The `semgate` command. Each subcommand has its own module, imported when it is used: `--help` stays quick.

Results go to stdout, everything else to stderr. Exit codes: 0 fine, 1 the answer is no, 2 wrong use.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gateway.config.report import Format

DEFAULT_FILE = "routes.yaml"

FILE = click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
CONFIG = click.option(
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The routes file. Default: $SEMGATE_CONFIG, or {DEFAULT_FILE} here.",
)


def chosen_file(file: Path | None) -> Path:
    """The routes file meant: the one named, else $SEMGATE_CONFIG, else routes.yaml in the current folder."""
    return file or Path(os.environ.get("SEMGATE_CONFIG") or DEFAULT_FILE)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="semgate", prog_name="semgate")
def main() -> None:
    """A semantic-cache gateway for LLM and other JSON APIs.

    Clients change one base URL; semgate forwards their calls to the upstream that the routes file names, and answers a
    question that was asked before, in the same words or in others, from its cache.

    \b
    First steps:
      semgate check routes.yaml     is the file right?
      semgate serve routes.yaml     run it
      semgate explain chat          one route with everything filled in
    """


@main.command()
@FILE
@CONFIG
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What to log; JSON lines on stderr.",
)
def serve(file: Path | None, config: Path | None, log_level: str) -> None:
    """Run the gateway that FILE describes, until SIGTERM or Ctrl-C.

    With the embedded PostgreSQL and the local model nothing else is needed. A file with errors is not started: they are
    printed, and the exit code is 1.
    """
    from gateway.cli.serve import run

    sys.exit(run(chosen_file(file or config), log_level))


@main.command()
@FILE
@CONFIG
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    show_default=True,
    help="github: annotations on a pull request; sarif: for code scanning.",
)
def check(file: Path | None, config: Path | None, format_: Format) -> None:
    """Check FILE and print every problem at once, each with its place and what would be right.

    Exit code 0: the file can be served (there may be warnings); 1: it cannot.
    """
    from gateway.cli.check import run

    sys.exit(run(chosen_file(file or config), format_))


@main.command()
@click.argument("route")
@CONFIG
def explain(route: str, config: Path | None) -> None:
    """Print ROUTE with everything filled in: preset, defaults, upstream, embedder and every bound; secrets masked."""
    from gateway.cli.explain import run

    sys.exit(run(chosen_file(config), route))


@main.command()
def schema() -> None:
    """Print the JSON Schema of routes files, for editors and CI.

    \b
    In VS Code and others with yaml-language-server, begin the file with
      # yaml-language-server: $schema=schemas/routes.schema.json
    """
    from gateway.cli.schema import run

    run()


if __name__ == "__main__":
    main()
