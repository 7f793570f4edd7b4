"""Work on threads that runs ahead of whoever uses it, by a bounded number: both keep busy, and memory stays small."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

POLL_S = 0.1
"""How often the thread before a full queue looks whether anybody still listens."""


LEAVE_S = 1.0
"""How long the end of an iteration waits for the item under way."""


def map_ahead(work: Callable[[T], R], items: Iterable[T], threads: int, ahead: int) -> Iterator[R]:
    """Map in order on several threads, with at most `ahead` results waiting or under way.

    What `work` raises is raised at its place; then, and when the consumer stops, what has not begun is dropped.
    """
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ahead")
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def iterate_ahead(items: Iterable[T], ahead: int) -> Iterator[T]:
    """Iterate on a thread of its own, with at most `ahead` items waiting.

    What the iteration raises is raised after the items before it. When the consumer stops, so does the thread.
    """
    waiting: queue.Queue[T | _End] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(item: T | _End) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            if all(put(item) for item in items):
                put(_End(None))
        except Exception as error:
            put(_End(error))

    thread = threading.Thread(target=produce, name="download", daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.cause is not None:
            raise item.cause
    finally:
        stopped.set()
        # A download that hangs must not hold up whoever gives it up.
        thread.join(LEAVE_S)


class _End:
    """What comes after the last item."""

    def __init__(self, cause: Exception | None) -> None:
        self.cause = cause
