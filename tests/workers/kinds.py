"""Kinds of jobs for the tests of the engine, and how they are made known."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from workers import kinds
from workers.kind import Kind
from workers.models import Job
from workers.params import Params
from workers.run import Run


@dataclass(frozen=True)
class TryParams(Params):
    number: int = 0


@contextmanager
def kind_that(work: Callable[[TryParams, Run], dict[str, Any]], **values: Any) -> Iterator[Kind[TryParams]]:
    """Make a kind of job called `try` known while the block runs."""
    kind = Kind("try", "try something", Job.Queue.IO, TryParams, work, **values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(kinds.BY_NAME, "try", kind)
        yield kind
