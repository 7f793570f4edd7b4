"""Patients shared out among processes."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class WorkerLost(Exception):
    """A process ended before its patient was done."""


@contextmanager
def each(work: Callable[[Job], Result], jobs: Iterable[Job], processes: int) -> Iterator[Iterator[Result]]:
    """Do every job in one of so many processes and give the results in the order in which they are done.

    Whatever ends the block ends the processes at once, in the middle of a job: Ctrl-C must not wait for a patient.

    Raises
    ------
    WorkerLost : a process was killed, most often for want of memory.
    """
    if processes <= 1:
        yield map(work, jobs)
        return
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            # Ctrl-C in a terminal reaches every process; those that are started here leave it to this one.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                futures = [pool.submit(work, job) for job in jobs]
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            yield (future.result() for future in as_completed(futures))
        except BrokenProcessPool:
            raise WorkerLost("a process that was drawing a patient was ended, perhaps for want of memory") from None
        except BaseException:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
