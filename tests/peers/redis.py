"""A private Redis server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.peers.packages import installed
from tests.peers.process import free_port, running, temporary_folder


@dataclass(frozen=True)
class Redis:
    """A running server: the URL of its database 0, process and folder."""

    url: str
    pid: int
    folder: Path


@contextmanager
def private_redis(port: int | None = None) -> Iterator[Redis]:
    """Start Redis on a loopback port, a free one unless named; what it keeps in memory is gone when the block ends.

    Raises
    ------
    NotInstalled : no Redis server on this machine.
    PeerFailed : it did not come up.
    """
    program = installed("redis-server")
    with temporary_folder("redis") as folder:
        port = port or free_port()
        url = f"redis://127.0.0.1:{port}/0"
        where = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
        with running(program, [*where, "--save", "", "--appendonly", "no"], folder, lambda: _answers(url)) as pid:
            yield Redis(url, pid, folder)


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
