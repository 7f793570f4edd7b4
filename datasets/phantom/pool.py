"""Patients shared out among processes."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class WorkerLost(Exception):
    """A process ended before its patient was done."""


def each(work: Callable[[Job], Result], jobs: Iterable[Job], processes: int) -> Iterator[Result]:
    """Do every job in one of so many processes and give the results in the order in which they are done.

    Raises
    ------
    WorkerLost : a process was killed, most often for want of memory.
    """
    if processes <= 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(work, job) for job in jobs]):
                yield future.result()
        except BrokenProcessPool:
            raise WorkerLost("a process that was drawing a patient was ended, perhaps for want of memory") from None
        finally:
            pool.shutdown(cancel_futures=True)
