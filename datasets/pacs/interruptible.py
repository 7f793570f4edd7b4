"""A server as a source whose user can leave at any time, also while it does not answer.

A request that hangs cannot be ended from outside. So it is made on a thread of its own, and whoever waits for the
answer looks now and then whether the work is still wanted; if not, thread and request are left to their time-out.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from pydicom.dataset import Dataset

from datasets.pacs.instance import Instance
from datasets.pacs.source import EVERYTHING, Progress, Query, Source, Study, Unreadable

T = TypeVar("T")

LOOK_EVERY_S = 0.2
"""How often whoever waits looks whether the work is still wanted."""

AHEAD = 4
"""Items fetched in one call, while those before are used."""


@contextmanager
def interruptible(source: Source, check: Callable[[], None]) -> Iterator[Source]:
    """Give the source to work with while the block runs.

    Parameters
    ----------
    check : called while an answer is waited for; what it raises ends the waiting.
    """
    calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
    threading.Thread(target=_answer, args=(calls,), name="source", daemon=True).start()
    try:
        yield _Interruptible(source, check, calls)
    finally:
        calls.put(None)


def _answer(calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]) -> None:
    """Make one call after the other, all on this thread: a source may keep connections by thread."""
    while (asked := calls.get()) is not None:
        answer, call = asked
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)


class _Interruptible:
    """See `source.Source`."""

    def __init__(self, source: Source, check: Callable[[], None], calls: queue.SimpleQueue[Any]) -> None:
        self.label, self.problems = source.label, source.problems
        self._source, self._check, self._calls = source, check, calls

    def studies(self, query: Query = EVERYTHING, progress: Progress | None = None) -> Iterator[Study]:
        told: deque[tuple[int, int | None]] = deque(maxlen=1)

        def tell() -> None:
            if told and progress is not None:
                progress(*told.pop())

        # Who tells of progress or asks a history asks a database, whose connections are their thread's own.
        found = self._source.studies(replace(query, changed=None), lambda done, total: told.append((done, total)))
        for study in self._each(found, tell):
            if query.changed is None or query.changed(study):
                yield study

    def instances(self, study: Study) -> list[Instance]:
        return self._ask(lambda: self._source.instances(study))

    def read(self, instance: Instance) -> Dataset:
        return self._ask(lambda: self._source.read(instance))

    def read_all(self, instances: Sequence[Instance]) -> Iterator[tuple[Instance, Dataset | Unreadable]]:
        return self._each(self._source.read_all(instances))

    def _each(self, items: Iterator[T], meanwhile: Callable[[], None] = lambda: None) -> Iterator[T]:
        try:
            coming = self._call(lambda: _some(items))
            while True:
                some, cause = self._waited(coming, meanwhile)
                if cause is None and some:
                    coming = self._call(lambda: _some(items))
                yield from some
                if cause is not None:
                    raise cause
                if not some:
                    return
        finally:
            # Where it hangs, nobody waits for its end.
            self._call(getattr(items, "close", lambda: None))

    def _ask(self, call: Callable[[], T]) -> T:
        return self._waited(self._call(call))

    def _call(self, call: Callable[[], T]) -> Future[T]:
        answer: Future[T] = Future()
        self._calls.put((answer, call))
        return answer

    def _waited(self, answer: Future[T], meanwhile: Callable[[], None] = lambda: None) -> T:
        while not wait([answer], LOOK_EVERY_S).done:
            meanwhile()
            self._check()
        meanwhile()
        return answer.result()


def _some(items: Iterator[T]) -> tuple[list[T], Exception | None]:
    """The next few items, and what ended them before their end; none at the end."""
    some: list[T] = []
    try:
        some.extend(islice(items, AHEAD))
    except Exception as error:
        return some, error
    return some, None
