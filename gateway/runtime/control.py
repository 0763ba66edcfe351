"""How the launcher and its workers tell each other to reload: a folder of small files, no server and no database.

`asked` holds the number of the last reload that was asked for; each worker looks at it several times a second, and
writes into a file of its own which number it has carried out, and what came of it. All of them write whole files,
renamed into place.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

Read = TypeVar("Read", bound=msgspec.Struct)


class Asked(msgspec.Struct, frozen=True):
    """Reload number `number` (0: none yet); `force`: though something new cannot be reached."""

    number: int = 0
    force: bool = False


class Answer(msgspec.Struct, frozen=True):
    """What a worker made of a reload: the digest of what it runs now, and why that is not the new file (None: it is)."""

    number: int
    digest: str
    error: str | None


class Control:
    """One process's view of the folder. What writes raises OSError where that cannot be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked = folder / "asked"
        self._own = folder / f"worker-{os.getpid()}"

    def ask(self, *, force: bool = False) -> Asked:
        """Ask all workers for a reload."""
        with self._locked():
            asked = Asked(self.asked().number + 1, force)
            _write(self._asked, asked)
        return asked

    def asked(self) -> Asked:
        """The last reload that was asked for."""
        return _read(self._asked, Asked) or Asked()

    def carried_out(self) -> int:
        """The number of the last reload that all other workers have carried out; the last one, if there are no others."""
        return min((answer.number for answer in self.others().values()), default=self.asked().number)

    def answer(self, answer: Answer) -> None:
        """This worker's state."""
        _write(self._own, answer)

    def enter(self) -> None:
        """By a worker that starts. What dead ones left is taken away, or whoever gets their number would be waited for."""
        self._folder.mkdir(mode=0o700, exist_ok=True)  # somebody may have tidied up
        for file in self._folder.glob("worker-*"):
            if not _lives(_pid(file)):
                file.unlink(missing_ok=True)

    def leave(self) -> None:
        self._own.unlink(missing_ok=True)

    def others(self) -> dict[int, Answer]:
        """The other workers that live, by pid."""
        found: dict[int, Answer] = {}
        for file in self._folder.glob("worker-*"):
            pid = _pid(file)
            answer = _read(file, Answer) if file != self._own and _lives(pid) else None
            if answer is not None:
                found[pid] = answer
        return found

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _write(file: Path, value: msgspec.Struct) -> None:
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_bytes(msgspec.json.encode(value))
    beside.rename(file)


def _read(file: Path, kind: type[Read]) -> Read | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except FileNotFoundError:
        return None


def _pid(file: Path) -> int:
    return int(file.name.removeprefix("worker-"))


def _lives(pid: int) -> bool:
    """A process of another user is none of ours."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
