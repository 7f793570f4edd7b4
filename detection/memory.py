"""Memory that runs out, on a GPU or on a CPU, becomes one named error."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from detection.errors import OutOfMemory

ALLOCATOR = "can't allocate memory"
"""What torch says of the CPU's memory, in a bare RuntimeError."""


@contextmanager
def enough_memory() -> Iterator[None]:
    """Do what is within.

    Raises
    ------
    OutOfMemory : the device cannot hold it.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory("The device's memory is too small for this batch; try a smaller --batch") from error
    except RuntimeError as error:
        if ALLOCATOR not in str(error):
            raise
        raise OutOfMemory("The computer's memory is too small for this batch; try a smaller --batch") from error
