"""What the commands that start jobs share: a worker does the job where one is at work, else this process does."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from datasets.management.failures import one_sentence
from datasets.management.progress import bar
from detection.bodypart.errors import BodyPartError
from workers import engine, kinds, locating
from workers.kinds import locate
from workers.models import Job
from workers.run import Shown


class JobCommand(BaseCommand):
    """A command that starts a job."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--wait", action="store_true", help="stay until the job is done (without a worker, it is done here)"
        )

    def job(
        self,
        kind: str,
        params: Mapping[str, Any],
        *,
        wait: bool,
        always: bool = False,
        otherwise: str = "",
    ) -> Job | None:
        """Queue a job; return it when it has succeeded, or None where a worker does it and nobody waits.

        Parameters
        ----------
        always : show progress without a terminal, too.
        otherwise : what holds when it fails, for the sentence.

        Raises
        ------
        CommandError : it was refused, has failed or was cancelled.
        """
        with one_sentence(otherwise), bars(always) as shown:
            at_work = engine.worker_at_work(kinds.get(kind).queue)
            job = engine.enqueue(kind=kind, params=params, send=at_work)
            if at_work and not wait:
                self.stdout.write(f"Job {job.pk} is queued; a worker does it.")
                return None
            job = engine.wait_for(job, shown, self.stderr.write)
        if job.state != Job.State.SUCCEEDED:
            raise CommandError(job.message or f"job {job.pk} was cancelled")
        return job

    def locate_new(self, collection: str, wait: bool) -> None:
        """Go on with the job that locates what another has added, and has sent for; if it fails, that one has not."""
        params = locating.wanted(collection)
        if params is None:
            return
        try:
            # Asked for the same, this is that very job.
            job = self.job(locate.KIND.name, params, wait=wait)
        except (CommandError, BodyPartError) as error:
            self.stderr.write(f"The new lesions have no place yet: {error}")
        else:
            if job is not None:
                self.stdout.write(f"{collection}: {locating.told(job.result)}")

    def queue(self, kind: str, params: Mapping[str, Any], what: str, page: str) -> None:
        """Queue a job for a worker, whether or not one is there, and say so.

        Parameters
        ----------
        what, page : what waits, and where it is to be seen.
        """
        job = engine.enqueue(kind=kind, params=params)
        self.stdout.write(f"{what} waits for a worker (job {job.pk}); see {page}")
        if not engine.worker_at_work(job.queue):
            self.stdout.write(f"No worker serves the queue {job.queue} now: start one, or add --wait to do it here.")


@contextmanager
def bars(always: bool = False) -> Iterator[Shown]:
    """Give what shows progress on stderr: a bar for every unit in turn."""
    with ExitStack() as stack:
        current: dict[str, Callable[[int, int | None], None]] = {}

        def shown(done: int, total: int | None, unit: str) -> None:
            if unit not in current:
                stack.pop_all().close()
                current.clear()
                current[unit] = stack.enter_context(bar(unit.capitalize(), unit, always))
            current[unit](done, total)

        yield shown
