"""Messages as files in a folder: kombu's transport, made safe for several processes and for a full disk.

kombu writes each file in place. What a full disk or an unlucky moment leaves there is no JSON, and whoever reads it
ends. Here a file appears when it is whole, and what cannot be read counts as lost: the job's row is the truth, and the
sweep sends again.
"""

import fcntl
import os
import uuid
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

NAME = "deeplesion_site.folder_broker:Transport"


def use() -> None:
    """Let `filesystem://` mean this transport."""
    TRANSPORT_ALIASES["filesystem"] = NAME


class Channel(filesystem.Channel):
    """As kombu's, but for how files are written and read."""

    def get_table(self, exchange: str) -> list[filesystem.exchange_queue_t]:
        """The queues bound to an exchange; none where they cannot be read."""
        try:
            return [filesystem.exchange_queue_t(*each) for each in loads(self._exchange_file(exchange).read_text())]
        except (OSError, ValueError, TypeError):
            return []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        bound = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        try:
            self.control_folder.mkdir(exist_ok=True)
            with (self.control_folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                known = self.get_table(exchange)
                if bound not in known:
                    _write(self._exchange_file(exchange), dumps([bound, *known]))
        except OSError as error:
            raise ChannelError(f"the folder of messages cannot be written: {error.strerror}") from error

    # kombu's own classes do not agree on the name of the second parameter.
    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        name = f"{time_ns()}_{uuid.uuid4()}.{queue}.msg"
        try:
            _write(Path(self.data_folder_out) / name, dumps(payload))
        except OSError as error:
            raise ChannelError(f"the folder of messages cannot be written: {error.strerror}") from error

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        for name in sorted(os.listdir(folder)):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = folder / f".{name}.{os.getpid()}"
            try:
                (folder / name).rename(taken)
                payload = taken.read_bytes()
                taken.unlink()
            except FileNotFoundError:
                # Another worker was first.
                continue
            try:
                return loads(payload.decode())
            except ValueError:
                continue
        raise Empty


def _write(path: Path, text: str) -> None:
    """Let a file appear when it is whole."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex}.part")
    try:
        part.write_text(text)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class Transport(filesystem.Transport):
    """What `filesystem://` stands for."""

    Channel = Channel
