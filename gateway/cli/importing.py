"""`semgate import FILE`: warm a cache with answers that are known, in bounded batches, and go on where it was stopped.

A batch that does not get through is sent again, a bounded number of times: rows that are there already are known. After
each one the place is noted (`resume`).
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.cli.client import Gateway, open_gateway
from gateway.cli.failure import Failed, Refused, Unreachable, note
from gateway.cli.faq import Templates, choose_templates
from gateway.cli.lookup import scope_of
from gateway.cli.options import Reach
from gateway.cli.resume import Place, forget_place, place_file, read_place, write_place
from gateway.cli.rows import Batch, RowMaker, batches
from gateway.cli.showing import count, visible, write, write_json
from gateway.cli.source import Record, Source
from gateway.cli.target import preset_of

T = TypeVar("T")

# Of what is wrong, as many lines are shown; the rest is counted.
MOST_SHOWN = 100
LONGEST_PAUSE = 30.0
_TOO_LARGE = 413
# The gateway, or something in front of it, cannot now; later it may.
_LATER = frozenset({429, 502, 503, 504})


class Wishes(msgspec.Struct, frozen=True):
    """What the command line says of an import."""

    file: str
    route: str | None = None
    request: Path | None = None
    response: Path | None = None
    preset: str | None = None
    model: str | None = None
    scope: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    path: str | None = None
    tags: tuple[str, ...] = ()
    ttl: float | None = None
    batch: int = 200
    retries: int = 5
    restart: bool = False


class Tally(msgspec.Struct):
    """What has become of the lines so far; the only thing here that changes."""

    kept: int = 0
    known: int = 0
    failed: int = 0
    problems: list[tuple[int, str]] = []

    def fail(self, file: str, problems: list[tuple[int, str]]) -> None:
        for line, text in problems:
            self.failed += 1
            if len(self.problems) < MOST_SHOWN:
                self.problems.append((line, text))
                note(f"{visible(file)}:{line}: {visible(text)}")
            elif self.failed == MOST_SHOWN + 1:
                note("further lines that failed are only counted")


def run(reach: Reach, wishes: Wishes, form: str) -> int:
    """0 if every line was kept or known, else 1."""
    gateway = open_gateway(reach)
    maker = RowMaker(_given(wishes), lambda: _templates(reach, wishes))
    if wishes.request is not None or wishes.response is not None:
        _ = maker.templates  # what is wrong with them is said before anything is sent
    tally = Tally()
    with gateway, contextlib.ExitStack() as open_files:
        source = open_files.enter_context(contextlib.closing(Source(wishes.file)))
        noted = place_file(wishes.file) if source.is_file else None
        same = _same(gateway.url, wishes)
        place = None if noted is None or wishes.restart else read_place(noted, same)
        records = source.records()
        if place is not None and not _reaches(source, records, place):
            note(f"{visible(wishes.file)} has changed since its import was interrupted: it begins anew")
            place = None
            source = open_files.enter_context(contextlib.closing(Source(wishes.file)))
            records = source.records()
        if place is not None:
            tally = Tally(place.kept, place.known, place.failed)
            note(f"goes on after line {count(place.line)}, where it was interrupted (--restart begins anew)")
        line = 0 if place is None else place.line
        try:
            with _progress(source) as moved:
                for batch in batches(source, records, maker, wishes.batch):
                    _send(gateway, wishes, batch, tally)
                    line = batch.last
                    if noted is not None:
                        noted = _note_down(
                            noted, Place(same, line, batch.fingerprint, tally.kept, tally.known, tally.failed)
                        )
                    moved()
        except (KeyboardInterrupt, Failed) as error:
            again = "the same command goes on from there" if noted is not None else "what was imported is known then"
            note(f"stopped after line {count(line)}; {again}")
            if isinstance(error, KeyboardInterrupt):
                return 1
            raise
    if noted is not None:
        forget_place(noted)
    _tell(wishes.file, tally, form)
    return 1 if tally.failed else 0


def _send(gateway: Gateway, wishes: Wishes, batch: Batch, tally: Tally) -> None:
    tally.fail(wishes.file, batch.wrong)
    _send_rows(gateway, wishes, batch.rows, batch.lines, tally)


def _send_rows(gateway: Gateway, wishes: Wishes, rows: list[bytes], lines: list[int], tally: Tally) -> None:
    """In halves where something on the way takes less at once."""
    if not rows:
        return
    try:
        imported = _with_patience(lambda: gateway.import_lines(b"\n".join(rows) + b"\n", wishes.route), wishes.retries)
    except Refused as refused:
        if refused.status != _TOO_LARGE:
            raise
        if len(rows) == 1:
            tally.fail(wishes.file, [(lines[0], f"too large for the gateway: {refused.detail}")])
            return
        half = len(rows) // 2
        _send_rows(gateway, wishes, rows[:half], lines[:half], tally)
        _send_rows(gateway, wishes, rows[half:], lines[half:], tally)
        return
    tally.kept += imported.kept
    tally.known += imported.known
    places = [(lines[nth - 1] if 0 < nth <= len(lines) else 0, text) for nth, text in imported.problems]
    tally.fail(wishes.file, places)


def _with_patience(attempt: Callable[[], T], retries: int) -> T:
    """Its result, after up to so many further tries with longer and longer pauses. Raises what the last one did."""
    for nth in range(retries):
        try:
            return attempt()
        except (Unreachable, Refused) as error:
            if isinstance(error, Refused) and error.status not in _LATER:
                raise
            pause = min(LONGEST_PAUSE, 2.0**nth)
            note(f"{error.message}; again in {pause:g} s")
            time.sleep(pause)
    return attempt()


def _reaches(source: Source, records: Iterator[Record], place: Place) -> bool:
    """Read up to the place; False where it is not there any more."""
    for record in records:
        if record.last >= place.line:
            return record.last == place.line and source.fingerprint == place.fingerprint
    return False


def _note_down(file: Path, place: Place) -> Path | None:
    """None from the first time on that nothing can be written."""
    if write_place(file, place):
        return file
    note(f"{file} cannot be written: if this import is interrupted, it begins anew")
    return None


def _given(wishes: Wishes) -> dict[str, object]:
    said = {
        "scope": scope_of(wishes.scope),
        "headers": wishes.headers or None,
        "path": wishes.path,
        "tags": list(wishes.tags) or None,
        "ttl": wishes.ttl,
    }
    return {name: value for name, value in said.items() if value is not None}


def _templates(reach: Reach, wishes: Wishes) -> Templates | None:
    preset = wishes.preset
    if preset is None and wishes.route is not None:
        preset = preset_of(reach, wishes.route)
    return choose_templates(wishes.request, wishes.response, preset, wishes.model)


def _same(url: str, wishes: Wishes) -> str:
    """A digest of what makes two imports of a file the same one: templates by what they say."""
    files = [None if file is None else file.read_bytes() for file in (wishes.request, wishes.response)]
    said = (url, wishes.route, wishes.preset, wishes.model, files, sorted(_given(wishes).items()))
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


@contextlib.contextmanager
def _progress(source: Source) -> Iterator[Callable[[], None]]:
    """A bar on stderr where that is a terminal; what is yielded moves it on."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("importing", total=source.size, completed=source.position or 0)
        yield lambda: progress.update(task, completed=source.position or 0)


def _tell(file: str, tally: Tally, form: str) -> None:
    if form == "json":
        problems = [{"line": line, "text": text} for line, text in tally.problems]
        write_json({"kept": tally.kept, "known": tally.known, "failed": tally.failed, "problems": problems})
        return
    write(
        f"{visible(file)}: {count(tally.kept)} kept, {count(tally.known)} known already, {count(tally.failed)} failed"
    )
