"""Memory that runs out, on a GPU or on a CPU, becomes one named error."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from detection.errors import OutOfMemory

PROCESSOR = "can't allocate memory"
"""What torch says of the CPU's memory, in a bare RuntimeError."""
GPU = ("CUDA error: out of memory", "ALLOC_FAILED")
"""What CUDA and its libraries say where a GPU is filled by others, in a bare RuntimeError, too."""

NETWORK = "for the network; end what else uses it, or choose another device with --accelerator"
"""What is too much where nothing is in the memory yet that could be made smaller."""


@contextmanager
def enough_memory(too_much: str) -> Iterator[None]:
    """Do what is within.

    Parameters
    ----------
    too_much : how the sentence goes on after "memory is too small": for what, and what to do about that.

    Raises
    ------
    OutOfMemory : the device cannot hold it.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(f"The device's memory is too small {too_much}") from error
    except RuntimeError as error:
        if PROCESSOR in str(error):
            raise OutOfMemory(f"The computer's memory is too small {too_much}") from error
        if any(words in str(error) for words in GPU):
            raise OutOfMemory(f"The device's memory is too small {too_much}") from error
        raise
