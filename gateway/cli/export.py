"""`semgate export`: all entries as JSON lines, to stdout or into a file.

A file is written beside its name and takes it at the end: a broken export leaves no half of one. It has all questions and
answers in it, so it is its owner's only. A name that ends in `.gz` is gzipped.
"""

from __future__ import annotations

import contextlib
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import click

from gateway.cli.client import open_gateway
from gateway.cli.failure import Failed, note
from gateway.cli.options import Reach
from gateway.cli.private import written
from gateway.cli.showing import size, things

# Lines between two moves of the progress line.
STEP = 500


def run(reach: Reach, route: str | None, out: Path | None) -> int:
    lines = 0
    with open_gateway(reach) as gateway, _sink(out) as sink, gateway.export(route) as pieces:
        passed = shown = 0
        ended = True
        for piece in pieces:
            _write(sink, piece)
            passed += len(piece)
            lines += piece.count(b"\n")
            ended = piece.endswith(b"\n")
            if sys.stderr.isatty() and lines >= shown + STEP:
                shown = lines
                sys.stderr.write(f"\r{things(lines, 'entry', 'entries')}, {size(passed)}\x1b[K")
                sys.stderr.flush()
        if sys.stderr.isatty() and shown:
            sys.stderr.write("\r\x1b[K")
        if not ended:
            raise Failed("the export broke off in the middle of an entry")
    note(f"exported {things(lines, 'entry', 'entries')}" + ("" if out is None else f" to {out}"))
    return 0


@contextlib.contextmanager
def _sink(out: Path | None) -> Iterator[BinaryIO]:
    """Where to write; a file appears under its name only if all went well."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with contextlib.ExitStack() as opened:
        try:
            file = opened.enter_context(written(out))
        except OSError as error:
            raise click.UsageError(f"--out: {out} cannot be written: {error.strerror}") from error
        if out.suffix == ".gz":
            file = cast("BinaryIO", opened.enter_context(gzip.GzipFile(filename="", fileobj=file, mode="wb")))
        yield file


def _write(sink: BinaryIO, piece: bytes) -> None:
    """A reader that has left (`| head`) is click's to handle: the command ends quietly, as others do."""
    try:
        sink.write(piece)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failed(f"the export cannot be written: {error.strerror}") from error
