"""What can be wrong with a job, in words for whoever asked for it; and how its work ends early."""

from datasets.services.errors import Refused


class JobRefused(Refused):
    """Nothing was queued or changed."""


class UnknownKind(JobRefused):
    """No such kind of job."""


class InvalidParams(JobRefused):
    """Parameters that make no sense; `mistakes` has one sentence for each."""

    def __init__(self, mistakes: dict[str, str]) -> None:
        super().__init__(" ".join(mistakes.values()))
        self.mistakes = mistakes


class KeyReused(JobRefused):
    """The idempotency key belongs to a job that was asked to do something else."""


class NotCancellable(JobRefused):
    """The job is finished."""


class NotRetriable(JobRefused):
    """The job is unfinished, has succeeded, or an equal one is at it."""


class ProcessExit(Refused):
    """The work would have ended the worker's process, which nobody shuts down."""


class Interrupted(Exception):
    """The work is to end now; raised inside it, to be let through."""


class Cancelled(Interrupted):
    """Somebody asked for the job to be cancelled."""


class LeaseLost(Interrupted):
    """The job is no longer this worker's: what it still does must not be written."""


class Stopping(Interrupted):
    """The worker is shutting down; the job goes back to the queue."""
