"""A private PostgreSQL server."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGINT

import psycopg

from tests.peers.packages import installed
from tests.peers.process import PeerFailed, as_user, free_port, running, temporary_folder

# Nothing here has to survive a power cut, and every commit waits for the disk otherwise.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # loopback is enough, and a socket's path may be too long for a deep folder
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


@dataclass(frozen=True)
class Postgres:
    """A running server: the URL of its database (an administrator's, without a password), process and folder."""

    url: str
    pid: int
    folder: Path


@contextmanager
def private_postgres() -> Iterator[Postgres]:
    """Start PostgreSQL on a free loopback port and stop it when the block ends.

    Raises
    ------
    NotInstalled : no PostgreSQL server on this machine.
    PeerFailed : it did not come up.
    """
    programs = installed("postgresql")
    # PostgreSQL refuses to run as root; its Debian package brings the user for it.
    user = "postgres" if os.geteuid() == 0 else None
    with temporary_folder("postgres") as folder:
        if user:
            shutil.chown(folder, user, user)
        data = folder / "data"
        _create_cluster(programs / "initdb", data, user)
        port = free_port()
        url = f"postgres://deeplesion@127.0.0.1:{port}/postgres"
        settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        arguments = ["-D", str(data), "-p", str(port), *settings]
        answers = partial(_answers, url)
        # SIGINT ends open connections, SIGTERM would wait for them.
        with running(programs / "postgres", arguments, folder, answers, user=user, stop_signal=SIGINT) as pid:
            yield Postgres(url, pid, folder)


def _create_cluster(initdb: Path, data: Path, user: str | None) -> None:
    arguments = [
        "-D",
        str(data),
        "-U",
        "deeplesion",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    done = subprocess.run(
        [initdb, *arguments],
        cwd=data.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **as_user(user),
    )
    if done.returncode:
        raise PeerFailed(f"initdb did not make a database cluster: {done.stderr.strip()}")


def _answers(url: str) -> bool:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False
