"""Progress bars of the commands."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def bar(label: str, unit: str, always: bool = False) -> Iterator[Callable[[int, int | None], None]]:
    """Give what takes how much is done and how much there is, and shows it on stderr.

    Parameters
    ----------
    always : also where stderr is not a terminal.
    """
    with tqdm(desc=label, unit=f" {unit}", disable=not (always or sys.stderr.isatty()), delay=0.2) as shown:

        def progress(done: int, total: int | None) -> None:
            shown.total = total
            shown.update(done - shown.n)
            if done == total:
                shown.close()

        yield progress
