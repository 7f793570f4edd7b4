"""What a kind of job is: its name, where it runs, what it is told, what it does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from workers.models import Job
from workers.params import P, read
from workers.run import Run


@dataclass(frozen=True)
class Kind(Generic[P]):
    """One kind; `workers.kinds` lists them all."""

    name: str
    """As it stands in a job's row and in addresses."""
    title: str
    """In words."""
    queue: Job.Queue
    params: type[P]
    work: Callable[[P, Run], dict[str, Any]]
    """Does it and returns what the job's page shows; it is tried again from the start, so it goes on from what it
    finds done."""
    attempts: int = 5
    """How often a job is claimed at most, lost workers and transient errors together."""
    transient: tuple[type[Exception], ...] = ()
    """Errors that may pass by themselves; the engine adds those of the database."""
    asked: Callable[[P], None] | None = None
    """Lets what the work is going to make say that it waits. It is called in the transaction that queues a new job."""
    ended: Callable[[P, list[P], Job.State, str], None] | None = None
    """Puts right what the work has said of itself, when its job ends without success: no worker had it any more, or
    the work never came to say it. It is called in the transaction that ends the job, with the parameters, those of the
    kind's unfinished jobs, FAILED or CANCELLED, and the sentence."""
    again: Callable[[P], None] | None = None
    """Puts right what the work has said of itself, when its job waits once more: somebody retries it, or a worker gave
    it back. It is called in the transaction that queues the job."""

    def read(self, values: Mapping[str, Any]) -> P:
        """Validate parameters.

        Raises
        ------
        InvalidParams
        """
        return read(self.params, values)
