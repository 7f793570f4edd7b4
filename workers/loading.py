"""What takes seconds to load and cannot be asked to stop, as torch: a job that waits for it still looks around.

Only the waiting ends with a cancel; the loading goes on to its end, and the worker's next job finds it done.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

LOOK_EVERY_S = 0.1

T = TypeVar("T")


def loaded(load: Callable[[], T], tick: Callable[[], None]) -> T:
    """Give what `load` gives, or raise what it raises.

    Parameters
    ----------
    load : called in a thread of its own; touches no database.
    tick : called several times a second meanwhile; what it raises ends the wait, and is raised on.
    """
    made: Future[T] = Future()
    # One that is waited for at the end of the process would hold up a worker that shuts down.
    threading.Thread(target=_into, args=(made, load), name="loading", daemon=True).start()
    while not wait([made], LOOK_EVERY_S).done:
        tick()
    return made.result()


def _into(made: "Future[T]", load: Callable[[], T]) -> None:
    try:
        made.set_result(load())
    except BaseException as error:
        made.set_exception(error)
