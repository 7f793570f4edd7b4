"""What work is given to tell how far it is, to notice that it shall end, and to write safely."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from django.db import transaction

Shown = Callable[[int, int | None, str], None]
"""Called with what is done, the total where it is known, and the unit; for a terminal."""

Told = Callable[[str], None]
"""Called with a line for a terminal."""


class Run(Protocol):
    """One attempt at a job."""

    @property
    def folder(self) -> Path:
        """A folder of the job's own under DATA_DIR, for logs and what a later attempt goes on from."""

    @property
    def watched(self) -> bool:
        """Whether the work is done for somebody at a terminal, who sees what `tell` says."""

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        """Tell how far the work is; also checks whether it shall go on, as `check_cancelled`."""

    def show(self, done: int, total: int | None, unit: str = "") -> None:
        """As `progress`, for a terminal alone: within a transaction, where the job's row must not be held for long."""

    def log(self, text: str) -> None:
        """Add a line to the job's log; nothing that identifies a patient."""

    def tell(self, text: str) -> None:
        """Show a line to whoever started the job from a terminal; it is stored nowhere, so it may name places."""

    def check_cancelled(self) -> None:
        """Go on, or raise; cheap, to be called every second or more often.

        Raises
        ------
        Interrupted : the job was cancelled, the lease was lost, or the worker is shutting down.
        """

    def fence(self) -> AbstractContextManager[None]:
        """Open a short transaction in which this attempt still has the job; nobody takes it away before the end.

        Raises
        ------
        Interrupted : on entering; nothing was written.
        """

    def closing(self) -> AbstractContextManager[None]:
        """As `fence`, but also where the job is being cancelled: to write down that the work ends.

        Raises
        ------
        LeaseLost : on entering; nothing was written.
        """

    def then(self, kind: str, params: dict[str, Any]) -> None:
        """Queue another job in the moment in which this one succeeds."""

    def afterwards(self, tidy: Callable[[], None]) -> None:
        """Do something once the job has succeeded; what it raises is told, and changes nothing about that.

        It may not happen, if the worker is lost in that moment.
        """


class Rehearsal:
    """Work without a job, that leaves no row: a dry run from a terminal."""

    folder = Path()
    watched = True

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def progress(self, done: int, total: int | None, unit: str = "", message: str = "") -> None:
        self._shown(done, total, unit)

    def show(self, done: int, total: int | None, unit: str = "") -> None:
        self._shown(done, total, unit)

    def log(self, text: str) -> None:
        return

    def tell(self, text: str) -> None:
        return

    def check_cancelled(self) -> None:
        return

    def fence(self) -> AbstractContextManager[None]:
        return transaction.atomic()

    closing = fence

    def then(self, kind: str, params: dict[str, Any]) -> None:
        return

    def afterwards(self, tidy: Callable[[], None]) -> None:
        return
