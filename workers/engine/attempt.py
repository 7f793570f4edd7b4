"""An attempt at a job in this process: its `Run`, and the thread that keeps the lease while the work is silent."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from workers.engine import knock, lease, shutdown
from workers.errors import Cancelled, LeaseLost, Stopping
from workers.run import Shown, Told

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 0.5
LOG_CHARACTERS = 2000
TURN_EVERY_S, TURN_S = 1.0, 0.11
"""After so long behind fences, work leaves SQLite's only write lock alone for so long: those who wait for it look ten
times a second, and would hardly ever meet the moment between two transactions."""
RENEWALS = 4
"""In the length of a lease."""


class Attempt:
    """The `Run` of a claimed job."""

    def __init__(
        self, claim: lease.Claim, shown: Shown | None = None, told: Told | None = None, *, watched: bool = False
    ) -> None:
        self.claim = claim
        self.watched = watched
        """Somebody waits at a terminal, who is told at once of an error that may pass, and tries again himself."""
        self.following: list[tuple[str, dict[str, Any]]] = []
        self.tidying: list[Callable[[], None]] = []
        self._shown, self._told = shown, told
        self._unit: str | None = None
        self._lost = threading.Event()
        self._written = self._checked = self._held = 0.0
        self._sure = time.monotonic()

    @property
    def folder(self) -> Path:
        folder = Path(settings.DATA_DIR) / "jobs" / str(self.claim.job_id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        self.show(done, total, unit)
        now = time.monotonic()
        if now - self._written >= CHECK_EVERY_S or done == total or message or unit != self._unit:
            self._written = now
            told: dict[str, Any] = {
                name: value for name, value in (("unit", unit[:32]), ("message", message[:500])) if value
            }
            if unit != self._unit:
                told |= {"counted_since": Now(), "counted_from": done}
            with self._patiently():
                lease.progress(self.claim, done=done, total=total or 0, **told)
                self._unit = unit
        self.check_cancelled()

    def show(self, done: int, total: int | None, unit: str = "") -> None:
        if self._shown is not None:
            self._shown(done, total, unit)

    def log(self, text: str) -> None:
        with self._patiently():
            lease.log(self.claim, text[-LOG_CHARACTERS:])

    def tell(self, text: str) -> None:
        if self._told is not None:
            self._told(text)

    def check_cancelled(self) -> None:
        if shutdown.begun():
            raise Stopping
        if self._lost.is_set():
            raise LeaseLost
        if knock.heard(self.claim.job_id):
            if connection.in_atomic_block:
                # Whoever asks can write it once this transaction is undone.
                raise Cancelled
            knock.give_way(self.claim.job_id)
            self._checked = 0.0
        now = time.monotonic()
        if now - self._checked >= CHECK_EVERY_S:
            self._checked = now
            with self._patiently():
                lease.check(self.claim)

    def is_cancelled(self) -> bool:
        """Whether the job is being cancelled; where somebody is about to write it, this waits until it is written."""
        knock.give_way(self.claim.job_id)
        try:
            with self._patiently():
                lease.check(self.claim)
        except Cancelled:
            return True
        return False

    @contextmanager
    def fence(self) -> Iterator[None]:
        with lease.fence(self.claim):
            begun = time.monotonic()
            yield
        self._held += time.monotonic() - begun
        if self._held >= TURN_EVERY_S:
            self._held = 0.0
            if connection.vendor == "sqlite":
                time.sleep(TURN_S)

    def closing(self) -> AbstractContextManager[None]:
        return lease.closing(self.claim)

    def then(self, kind: str, params: dict[str, Any]) -> None:
        self.following.append((kind, params))

    def afterwards(self, tidy: Callable[[], None]) -> None:
        self.tidying.append(tidy)

    def settle(self, write: Callable[[], None]) -> None:
        """Write the outcome, asking the database again while it is away, but no longer than the lease lasts.

        Raises
        ------
        LeaseLost
        """
        deadline = time.monotonic() + lease.length().total_seconds()
        while True:
            try:
                return write()
            except (OperationalError, InterfaceError) as error:
                if connection.in_atomic_block:
                    raise
                connection.close()
                if time.monotonic() > deadline:
                    raise LeaseLost from error
                time.sleep(CHECK_EVERY_S)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the lease for as long as the block runs."""
        done = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(done,), name=f"lease-{self.claim.job_id}", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            keeper.join()

    def _keep(self, done: threading.Event) -> None:
        pause = lease.length().total_seconds() / RENEWALS
        try:
            while not done.wait(pause):
                try:
                    lease.renew(self.claim)
                    self._sure = time.monotonic()
                except LeaseLost:
                    self._lost.set()
                    return
                except (OperationalError, InterfaceError):
                    connection.close()
        finally:
            connection.close()

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Go on while the database is away, but no longer than the lease lasts."""
        try:
            yield
        except (OperationalError, InterfaceError) as error:
            if connection.in_atomic_block:
                raise
            connection.close()
            if time.monotonic() - self._sure > lease.length().total_seconds():
                raise LeaseLost from error
            logger.warning("job %d: the database does not answer (%s)", self.claim.job_id, type(error).__name__)
