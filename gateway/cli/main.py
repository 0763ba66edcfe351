"""The `semgate` command: its groups of commands, and those for the first steps. The others are declared in `operating`,
`moving`, `measuring` and `judging`.

A subcommand's work has its own module, imported when it is used: `--help` stays quick. Results go to stdout, everything
else to stderr. Exit codes: 0 fine, 1 the answer is no, 2 wrong use.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.denying import deny
from gateway.cli.judging import feedback, shadow
from gateway.cli.measuring import calibrate, judge, simulate
from gateway.cli.moving import export, import_
from gateway.cli.operating import entries, lookup, purge, reload, stats, top
from gateway.cli.options import CONFIG, FILE, chosen_file, form

if TYPE_CHECKING:
    from gateway.config.report import Format

# The help lists commands by what they are for.
GROUPS = {
    "First steps": ("check", "serve", "explain", "schema", "clients"),
    "Look at a running gateway": ("top", "stats", "lookup", "reload"),
    "Stored answers": ("entries", "purge", "deny", "export", "import"),
    "Right and wrong answers": ("judge", "simulate", "calibrate", "shadow", "feedback"),
}


class Grouped(click.Group):
    """A group whose help lists its commands under the headings of GROUPS."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.commands))
        limit = formatter.width - 6 - width
        for heading, names in GROUPS.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(f"{name:{width}}", self.commands[name].get_short_help_str(limit)) for name in names]
                )


@click.group(cls=Grouped, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="semgate", prog_name="semgate")
def main() -> None:
    """A semantic-cache gateway for LLM and other JSON APIs.

    Clients change one base URL; semgate forwards their calls to the upstream that the routes file names, and answers a
    question that was asked before, in the same words or in others, from its cache.

    \b
    For example:
      semgate check routes.yaml                      is the file right?
      semgate serve routes.yaml                      run it
      semgate lookup hello "How do I reset it?"      what would be served, and why?
      semgate import faq.csv --route hello           warm the cache

    Commands that talk to a running gateway find its address and admin token in the routes file ($SEMGATE_CONFIG, or
    routes.yaml here); --url, --token and $SEMGATE_ADMIN_TOKEN say otherwise. `semgate COMMAND --help` has examples.
    """


for each in (
    top,
    stats,
    lookup,
    reload,
    entries,
    purge,
    deny,
    export,
    import_,
    judge,
    simulate,
    calibrate,
    shadow,
    feedback,
):
    main.add_command(each)


@main.command(short_help="Run the gateway, until SIGTERM or Ctrl-C.")
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


@main.command(short_help="Print every problem of a routes file.")
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


@main.command(short_help="Print a route with everything filled in.")
@click.argument("route")
@CONFIG
def explain(route: str, config: Path | None) -> None:
    """Print ROUTE with everything filled in: preset, defaults, upstream, embedder and every bound; secrets masked."""
    from gateway.cli.explain import run

    sys.exit(run(chosen_file(config), route))


@main.group()
def clients() -> None:
    """Make keys for those who may use the gateway."""


@clients.command("new")
@click.argument("name")
@form("text")
def clients_new(name: str, form: str) -> None:
    """Make a key for the client NAME: print it once, and the lines for the routes file that admit it.

    The routes file gets the key's hash only, and nothing is stored here: a lost key cannot be had again.

    \b
    Example:
      semgate clients new web
    """
    from gateway.cli.clients import new_client

    sys.exit(new_client(name, form))


@main.command(short_help="Print the JSON Schema of routes files.")
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
