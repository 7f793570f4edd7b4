"""A private PostgreSQL server."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
    with RestartablePostgres.private() as server:
        yield server.now


@dataclass
class RestartablePostgres:
    """A server that can be restarted on its port and data."""

    now: Postgres
    stack: ExitStack

    @classmethod
    @contextmanager
    def private(cls) -> Iterator["RestartablePostgres"]:
        """As `private_postgres`."""
        programs = installed("postgresql")
        with temporary_folder("postgres") as folder, ExitStack() as stack:
            if user := _user():
                shutil.chown(folder, user, user)
            _create_cluster(programs / "initdb", folder / "data", _user())
            url = f"postgres://deeplesion@127.0.0.1:{free_port()}/postgres"
            yield cls(stack.enter_context(_serving(folder, url)), stack)

    @property
    def url(self) -> str:
        """Of its database."""
        return self.now.url

    def restart(self) -> None:
        """End every connection and the server, and start it again."""
        self.stack.close()
        self.now = self.stack.enter_context(_serving(self.now.folder, self.now.url))


@contextmanager
def _serving(folder: Path, url: str) -> Iterator[Postgres]:
    port = url.rpartition(":")[2].partition("/")[0]
    settings = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
    arguments = ["-D", str(folder / "data"), "-p", port, *settings]
    program = installed("postgresql") / "postgres"
    # SIGINT ends open connections, SIGTERM would wait for them.
    with running(program, arguments, folder, partial(_answers, url), user=_user(), stop_signal=SIGINT) as pid:
        yield Postgres(url, pid, folder)


def _user() -> str | None:
    """PostgreSQL refuses to run as root; its Debian package brings the user for it."""
    return "postgres" if os.geteuid() == 0 else None


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
