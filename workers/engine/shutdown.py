"""Whether this worker is shutting down: one byte that its main process shares with the processes that it forks."""

import mmap

_flag = mmap.mmap(-1, 1)


def begin() -> None:
    """Let the work in hand go back to the queue."""
    _flag[0] = 1


def begun() -> bool:
    """Whether work is to go back to the queue."""
    return _flag[0] == 1
