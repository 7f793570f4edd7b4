"""A pause of pynetdicom's reactor that holds.

An association's reactor thread reads the same queue of answers as the `send_*` methods, which therefore pause it. In
pynetdicom 3.0.4 it says that it is paused a moment before it is, and still says so a moment after it was let go: on a
busy machine it then takes an answer out of the middle of a list, which nobody sees again.
"""

from __future__ import annotations

import threading
import time

from pynetdicom.association import Association

POLL_S = 0.0005


class Checkpoint(threading.Event):
    """The event at which a reactor waits: once `clear` has returned, the reactor stands still until `set`."""

    def __init__(self, reactor: threading.Thread) -> None:
        super().__init__()
        self.set()
        self._reactor = reactor
        self._deciding = threading.Lock()
        self._standing = False

    def wait(self, timeout: float | None = None) -> bool:
        """Called by the reactor alone."""
        while True:
            with self._deciding:
                self._standing = not self.is_set()
                if not self._standing:
                    return True
            super().wait(timeout)

    def clear(self) -> None:
        with self._deciding:
            super().clear()
        while not self._standing and self._reactor.is_alive() and threading.current_thread() is not self._reactor:
            time.sleep(POLL_S)


def make_pauses_hold(association: Association) -> None:
    """Give an association that was just opened a checkpoint at which its reactor really stops."""
    association._reactor_checkpoint = Checkpoint(association)
