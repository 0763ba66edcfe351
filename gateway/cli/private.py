"""Files that hold questions and answers, or tell of them: readable by their owner only, whatever the umask."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def create(file: Path) -> BinaryIO:
    """A new file: never one that is there, nor what a link of that name leads to. Raises OSError."""
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@contextlib.contextmanager
def written(out: Path) -> Iterator[BinaryIO]:
    """Where to write `out`: a new file beside it, which takes its name if all goes well. A device, a pipe or a link is
    written to as it is, as a file in its place would be its end. Raises OSError."""
    if out.is_symlink() or (out.exists() and not out.is_file()):
        with out.open("wb") as there:
            yield there
        return
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with create(beside) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(out)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
