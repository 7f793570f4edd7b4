"""Progress bars of the commands."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from tqdm import tqdm


@contextmanager
def bar(label: str, unit: str, always: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """Give what takes how much is done and how much there is, and shows it on stderr.

    Whoever counts anew gets another bar.

    Parameters
    ----------
    always : also where stderr is not a terminal.
    """

    def another() -> "tqdm[NoReturn]":
        return tqdm(desc=label, unit=f" {unit}", disable=not (always or sys.stderr.isatty()), delay=0.2)

    shown = another()

    def progress(done: int, total: int | None) -> None:
        nonlocal shown
        if done < shown.n:
            shown.close()
            shown = another()
        shown.total = total
        shown.update(done - shown.n)
        # 0 of 0 says that it waits.
        if total and done == total:
            shown.close()

    try:
        yield progress
    finally:
        shown.close()
