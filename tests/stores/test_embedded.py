"""The embedded PostgreSQL: shared, stopped with its last user, and none the worse for a kill -9."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from gateway.errors import ConfigError, StoreError
from gateway.stores.embedded import EmbeddedPostgres

USER = """
import sys
from gateway.stores.embedded import EmbeddedPostgres
server = EmbeddedPostgres(sys.argv[1])
print(server.start(), flush=True)
sys.stdin.readline()
server.stop()
"""
ORDINARY = """
import os
import gateway.stores.embedded
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
"""


class User:
    """Another process that uses the server, as a second gateway would."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def started(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def folder() -> Iterator[Path]:
    # Short, so that the socket is in the data folder unless a test wants otherwise.
    path = Path(tempfile.mkdtemp(prefix="sg-emb-", dir="/tmp"))
    yield path
    for pid_file in path.rglob("postmaster.pid"):
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
    shutil.rmtree(path, ignore_errors=True)


def pid_of(folder: Path) -> int | None:
    try:
        return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return None


def kill_server(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    while True:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except FileNotFoundError:
            return
        time.sleep(0.01)


def run(url: str, statement: str) -> object:
    async def scenario() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(scenario())


def test_it_starts_stops_and_keeps_its_data(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    url = server.start()
    assert run(url, "CREATE TABLE kept AS SELECT 42 AS answer") is None
    assert server.start() == url
    server.stop()
    assert pid_of(folder) is None
    server.stop()
    again = EmbeddedPostgres(folder)
    assert run(again.start(), "SELECT answer FROM kept") == 42
    again.stop()


def test_nobody_else_may_connect_and_nothing_listens_on_the_network(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    url = server.start()
    assert run(url, "SHOW listen_addresses") == ""
    assert run(url, "SHOW fsync") == "on"
    assert (folder / "postgres").stat().st_mode & 0o077 == 0
    pid = pid_of(folder)
    assert pid is not None
    assert os.getsid(pid) != os.getsid(0), "the terminal's Ctrl-C must not reach the server"
    server.stop()


def test_the_first_that_leaves_does_not_stop_it_for_the_other(folder: Path) -> None:
    mine, other = EmbeddedPostgres(folder), User(folder)
    assert mine.start() == other.started()
    pid = pid_of(folder)
    mine.stop()
    assert pid_of(folder) == pid
    url = mine.start()
    other.leave()
    assert pid_of(folder) == pid
    assert run(url, "SELECT 1") == 1
    mine.stop()
    assert pid_of(folder) is None


def test_users_that_start_at_once_share_one_server(folder: Path) -> None:
    users = [User(folder) for _ in range(4)]
    assert len({user.started() for user in users}) == 1
    pid = pid_of(folder)
    assert pid is not None
    for user in users:
        assert pid_of(folder) == pid
        user.leave()
    assert pid_of(folder) is None


def test_after_a_kill_of_the_gateway_the_next_start_takes_the_server_over(folder: Path) -> None:
    killed = User(folder)
    url = killed.started()
    run(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = pid_of(folder)
    killed.kill()
    assert run(url, "SELECT answer FROM kept") == 42
    mine = EmbeddedPostgres(folder)
    assert mine.start() == url
    assert pid_of(folder) == pid
    mine.stop()
    assert pid_of(folder) is None, "the killed user must not count"


def test_after_a_kill_of_everything_the_data_is_recovered(folder: Path) -> None:
    user = User(folder)
    url = user.started()
    run(url, "CREATE TABLE kept (answer int)")
    run(
        url,
        "WITH on_disk AS (SELECT set_config('synchronous_commit', 'on', false)) INSERT INTO kept SELECT 42 FROM on_disk",
    )
    pid = pid_of(folder)
    assert pid is not None
    user.kill()
    kill_server(pid)
    mine = EmbeddedPostgres(folder)
    assert run(mine.start(), "SELECT answer FROM kept") == 42
    assert pid_of(folder) != pid
    mine.stop()


def test_a_server_that_died_is_started_again_by_its_user(folder: Path) -> None:
    mine = EmbeddedPostgres(folder)
    url = mine.start()
    pid = pid_of(folder)
    assert pid is not None
    kill_server(pid)
    assert mine.start() == url
    assert run(url, "SELECT 1") == 1
    mine.stop()
    assert pid_of(folder) is None


def test_a_pid_file_whose_pid_is_now_another_program_is_no_obstacle(folder: Path) -> None:
    mine = EmbeddedPostgres(folder)
    mine.start()
    pid_file = folder / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    mine.stop()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    shutil.chown(pid_file, (folder / "postgres").stat().st_uid, (folder / "postgres").stat().st_gid)
    assert run(mine.start(), "SELECT 1") == 1
    mine.stop()


def test_a_first_start_that_was_cut_off_is_begun_anew(folder: Path) -> None:
    half = folder / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    mine = EmbeddedPostgres(folder)
    assert run(mine.start(), "SELECT 1") == 1
    mine.stop()
    assert not half.exists()


@pytest.mark.parametrize("name", ["x" * 120, "with, comma", "with space & 'quote' %41"])
def test_any_folder_name_will_do(folder: Path, name: str) -> None:
    mine, other = EmbeddedPostgres(folder / name), EmbeddedPostgres(folder / name)
    url = mine.start()
    assert run(url, "SELECT 1") == 1
    assert other.start() == url
    other.stop()
    assert run(url, "SELECT 1") == 1
    mine.stop()
    socket_folder = Path(url.partition("host=")[2].partition("&")[0])
    if socket_folder.name.startswith("semgate-pg-"):
        assert not socket_folder.exists()


def test_a_folder_for_the_socket_that_others_can_enter_is_not_used(folder: Path) -> None:
    mine = EmbeddedPostgres(folder / ("x" * 120))
    socket_folder = Path(mine.url.partition("host=")[2].partition("&")[0])
    socket_folder.mkdir(mode=0o755)
    try:
        with pytest.raises(StoreError, match="somebody else's"):
            mine.start()
    finally:
        socket_folder.rmdir()
    assert mine.start() == mine.url
    mine.stop()


def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(ConfigError, match=r"server\.data_dir: .*/file/below cannot be written"):
        EmbeddedPostgres(folder / "file" / "below").start()


def test_data_of_another_version_is_left_alone(folder: Path) -> None:
    (folder / "postgres").mkdir(mode=0o700)
    (folder / "postgres" / "PG_VERSION").write_text("15\n")
    with pytest.raises(ConfigError, match=r"made by PostgreSQL 15 .*move the folder away"):
        EmbeddedPostgres(folder).start()


def test_it_runs_for_an_ordinary_user_too(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("this whole run is an ordinary user's")
    os.chown(folder, 65534, 65534)
    # Root starts it and it gives root up itself: an ordinary user may be unable to enter the folders of this Python.
    user = subprocess.Popen(
        [sys.executable, "-c", ORDINARY + USER, str(folder / "data")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    out, _err = user.communicate(b"\n", timeout=120)
    assert user.returncode == 0
    assert out.startswith(b"postgresql://")


def test_a_second_start_is_quick(folder: Path) -> None:
    mine = EmbeddedPostgres(folder)
    mine.start()
    mine.stop()
    began = time.monotonic()
    mine.start()
    assert time.monotonic() - began < 10, "0.03 s on an idle machine"
    mine.stop()
