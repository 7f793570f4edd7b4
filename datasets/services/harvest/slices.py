"""The slices around new lesions: decoded, encoded and put in place, several at a time, never a series in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from datasets import dl_info
from datasets.geometry import hu
from datasets.models import Series, Slice
from datasets.pacs import deidentify
from datasets.pacs.ahead import map_ahead
from datasets.pacs.instance import Instance
from datasets.pacs.pixels import EncodedSlice, PixelError, encode_slice
from datasets.pacs.series import Volume
from datasets.pacs.source import Source, Unreadable
from datasets.storage import remove_leftovers

THREADS = 2
"""Decoding and DEFLATE run outside Python's lock."""

IN_FLIGHT = 8
"""Slices in memory at once, for one volume."""

ROUNDED = 0.1
"""By how much of an interval rounded positions may be further away than they are."""

DEFAULT_CONTEXT_MM = 30.0
"""As published: what is kept on each side of a key slice."""


@dataclass(frozen=True)
class Written:
    """What came of the slices of one volume."""

    rows: list[Slice] = field(default_factory=list)
    """Not yet in the database, and without the moment in which they come."""
    key_slices: dict[int, NDArray[np.int32]] = field(default_factory=dict)
    """HU of the slices with lesions, by place in the volume."""
    failures: dict[int, tuple[Instance, Unreadable | PixelError]] = field(default_factory=dict)
    """Slices that could not be had, by place in the volume, and why."""


def context_of(volume: Volume, index: int, context_mm: float | None) -> range:
    """The places in a volume to keep around a key slice; all of them for None.

    By their positions: where slices are missing, so many steps are more millimetres.
    """
    if context_mm is None:
        return range(len(volume.instances))
    away = np.abs(volume.heights - volume.heights[index])
    kept = np.flatnonzero(away <= context_mm + ROUNDED * volume.slice_spacing)
    return range(int(kept[0]), int(kept[-1]) + 1)


def write_slices(
    source: Source,
    storage: Storage,
    series: Series,
    volume: Volume,
    wanted: set[int],
    keys: set[int],
    stored: set[int],
    check: Callable[[], None],
) -> Written:
    """Bring slices of a volume into the storage.

    Parameters
    ----------
    wanted : places in the volume to store; keys : those with lesions; stored : those that are there already.
    check : called after every slice.

    Raises
    ------
    OSError : the storage cannot take more; what was written is whole and will be found again.
    """
    written = Written()
    for index in sorted(keys & stored):
        written.key_slices[index] = _load(storage, _path(series, index))
    missing = sorted(wanted - stored)
    remove_leftovers(storage, series.folder)
    places = {volume.instances[index].SOPInstanceUID: index for index in missing}
    datasets = source.read_all([volume.instances[index] for index in missing])

    def write(arrived: tuple[Instance, Dataset | Unreadable]) -> tuple[int, Slice, NDArray[np.uint16] | None] | None:
        instance, dataset = arrived
        index = places[instance.SOPInstanceUID]
        try:
            encoded = _encode(instance, dataset, volume)
        except (Unreadable, PixelError) as error:
            written.failures[index] = (instance, error)
            return None
        storage.save(_path(series, index), ContentFile(encoded.png))
        window = deidentify.image_facts(instance).window or (None, None)
        row = Slice(
            series=series,
            number=index + 1,
            window_low=window[0],
            window_high=window[1],
            stored=True,
            bytes=len(encoded.png),
            sha256=encoded.file_hash,
            pixel_hash=encoded.pixel_hash,
        )
        return index, row, encoded.values if index in keys else None

    for result in map_ahead(write, datasets, THREADS, IN_FLIGHT):
        check()
        if result is not None:
            index, row, values = result
            written.rows.append(row)
            if values is not None:
                written.key_slices[index] = hu.from_png(values)
    return written


def _encode(instance: Instance, dataset: Dataset | Unreadable, volume: Volume) -> EncodedSlice:
    if isinstance(dataset, Unreadable):
        raise dataset
    if refusal := deidentify.refusal(instance):
        raise PixelError(refusal)
    if volume.flips is None:
        raise PixelError("its volume cannot be made canonical")
    return encode_slice(dataset, volume.flips)


def _path(series: Series, index: int) -> str:
    return f"{series.folder}/{dl_info.slice_name(index + 1)}"


def _load(storage: Storage, path: str) -> NDArray[np.int32]:
    with storage.open(path) as file, Image.open(file, formats=["PNG"]) as image:
        return hu.from_png(np.asarray(image))
