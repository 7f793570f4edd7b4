"""Decoded and resampled slices in one memory-mapped file, filled as they are first asked for.

Decoding a PNG takes longer than the network on a GPU; reading from here does not. Several processes may fill it at the
same time: they write the same values, and a slice counts as present only when it has been written in full.
"""

import hashlib
import math
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from detection.data.frame import Frame
from detection.data.slices import Hu
from detection.disk import writing
from detection.errors import DiskFull

RESERVE = 1 << 28
"""Bytes of the disk that stay free."""


class SliceCache:
    """Slices of `size` x `size` HU under string keys, each with its frame."""

    def __init__(self, folder: Path, identity: str, keys: Sequence[str], size: int) -> None:
        """Open the cache of these keys, or start it.

        Parameters
        ----------
        identity : names the release and how its slices are resampled; another one is another file.

        Raises
        ------
        DiskFull, BadRun
        """
        self._rows = {key: number for number, key in enumerate(keys)}
        content = "\n".join([identity, str(size), *keys])
        name = hashlib.sha256(content.encode()).hexdigest()[:16]
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._paths = [folder / f"{name}.{part}" for part in ("slices", "frames", "filled")]
        bytes_needed = len(keys) * size * size * 2
        self._shapes = [(len(keys), size, size), (len(keys), 4), (len(keys),)]
        no_room = f"The slice cache needs {bytes_needed / 1e9:.1f} GB in {folder}; name another place with --cache"
        if not self._paths[2].exists() and shutil.disk_usage(folder).free < bytes_needed + RESERVE:
            raise DiskFull(no_room)
        with writing(folder, no_room):
            self._open()

    def _open(self) -> None:
        kinds = (np.int16, np.float64, np.uint8)
        self._slices, self._frames, self._filled = (
            _mapped(path, kind, shape) for path, kind, shape in zip(self._paths, kinds, self._shapes, strict=True)
        )

    def get(self, key: str, make: Callable[[], tuple[Hu, Frame]]) -> tuple[Hu, Frame]:
        """Give a slice, made and kept if it is not there; the array is not to be written to."""
        row = self._rows[key]
        if not self._filled[row]:
            hu, frame = make()
            self._slices[row] = hu
            self._frames[row] = (frame.scale_x, frame.scale_y, frame.left, frame.top)
            self._filled[row] = 1
        return self._slices[row], Frame(*self._frames[row].tolist())

    def __getstate__(self) -> dict[str, object]:
        """Loader processes map the files themselves."""
        return {"_rows": self._rows, "_paths": self._paths, "_shapes": self._shapes}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._open()


def _mapped(path: Path, kind: DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Map a file, made of zeros where it is not there; never emptied, as another process may have begun to fill it.

    Its place on the disk is taken now: a process that writes to a mapped page without one is killed.
    """
    with path.open("ab") as file:
        size = math.prod(shape) * np.dtype(kind).itemsize
        if file.tell() < size:
            os.posix_fallocate(file.fileno(), 0, size)
    return np.memmap(path, dtype=kind, mode="r+", shape=shape)
