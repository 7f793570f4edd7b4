"""What a job will cost: what its work takes, and what is there for it."""

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from deeplesion_site.cost import needs
from deeplesion_site.cost.needs import Needs
from deeplesion_site.jobs import wish_of
from workers import kinds, standing
from workers.kind import Kind
from workers.models import Job
from workers.params import read

ON_A_PROCESSOR = ("small", "tiny")
"""Presets that need no graphics card."""


@dataclass(frozen=True)
class Cost:
    """Of one job, before it starts."""

    needs: Needs
    queue: str
    workers: int
    """That serve the queue and gave a sign of life."""
    free: int
    """Bytes on the disk of the worker that has least, or of the site where no worker says it."""
    gpus: list[str] | None
    """Of these workers; None where none has said it."""

    @property
    def enough(self) -> bool | None:
        """Whether it fits on the disk; None where that is not known."""
        return None if self.needs.kept is None else self.needs.kept + self.needs.passing <= self.free

    def lines(self) -> list[tuple[str, str]]:
        """Everything that is known, by name and in words."""
        found = [("Rows", self.needs.rows_words), ("Slices", self.needs.slices_words), ("Disk needed", self._disk())]
        found.append(("Disk free", filesizeformat(self.free)))
        if self.queue == Job.Queue.GPU:
            found.append(("Graphics card", self._card()))
        there = f"one serves {self.queue}" if self.workers == 1 else f"{self.workers} serve {self.queue}"
        found.append(("Worker", there if self.workers else f"none serves {self.queue} now; the job waits"))
        return [(name, words) for name, words in found if words]

    def _disk(self) -> str:
        kept, passing = self.needs.kept, self.needs.passing
        if kept is None or not self.needs.disk_words:
            return self.needs.disk_words
        if kept == 0:
            return f"none; {self.needs.disk_words}"
        if not passing:
            return f"about {filesizeformat(kept)}: {self.needs.disk_words}"
        whole = filesizeformat(kept + passing)
        return f"about {whole} while it works, {filesizeformat(kept)} of it for good: {self.needs.disk_words}"

    def _card(self) -> str:
        if self.gpus:
            return ", ".join(self.gpus)
        fits = self.needs.preset in ON_A_PROCESSOR
        slow = "this preset is made for a CPU" if fits else "on a CPU it takes very long"
        if self.gpus is None:
            return f"no worker has said whether it has one; without, {slow}"
        return f"the worker has none; {slow}"


def of(*, kind: str, params: Mapping[str, Any]) -> Cost:
    """What a job would cost that is asked for with these parameters; nothing is queued or kept.

    Raises
    ------
    UnknownKind, InvalidParams
    """
    found = kinds.get(kind)
    return _cost(found, needs.of(kind, asdict(read(wish_of(found), params))))


def of_real(rehearsal: Job) -> Cost:
    """What the harvest would cost that a dry run was for."""
    return _cost(kinds.get(rehearsal.kind), needs.of_rehearsed(rehearsal))


def _cost(kind: Kind[Any], needed: Needs) -> Cost:
    serving = [worker for worker in standing.living() if kind.queue in worker.queues]
    said = [worker.free_bytes for worker in serving if worker.free_bytes is not None]
    return Cost(
        needs=needed,
        queue=kind.queue,
        workers=len(serving),
        free=min(said) if said else shutil.disk_usage(settings.DATA_DIR).free,
        gpus=standing.gpus_of(serving),
    )
