"""Samples as the network sees them, one by one and in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from detection.data import slices
from detection.data.augment import augment
from detection.data.cache import SliceCache
from detection.data.frame import Frame, frame_of, resample
from detection.data.release import Release, Sample
from detection.errors import CorruptSlice, DetectorError, MissingSlice, OutOfMemory
from detection.presets import Augmentation, Input

Item = tuple[Tensor, Tensor, int, Frame]
NONE = Augmentation()
ONE = 1 << 14
"""Of the fixed point in which slices are mixed."""

ENDED = "DataLoader worker (pid"
"""What torch says of a worker process that is there no more."""

Pick = tuple[int, int]
"""Index of a sample and the epoch that it is taken in."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from."""

    hu: Tensor
    """(B, C, S, S) int16 HU."""
    boxes: list[Tensor]
    """Per sample (M, 4) x1, y1, x2, y2 in pixels of the input, 0-based."""
    index: list[int]
    """Places in the dataset."""
    frames: list[Frame]
    """Where each input lies on its slice, before augmentation."""

    def to(self, device: torch.device) -> "Batch":
        """Move it to where the network is."""
        boxes = [each.to(device, non_blocking=True) for each in self.boxes]
        return Batch(self.hu.to(device, non_blocking=True), boxes, self.index, self.frames)

    def pin_memory(self) -> "Batch":
        """For a faster copy to a GPU; the loader calls it."""
        return Batch(self.hu.pin_memory(), [each.pin_memory() for each in self.boxes], self.index, self.frames)


class Slices(Dataset[Item]):
    """Key slices of a split with their neighbours as channels."""

    def __init__(
        self,
        release: Release,
        samples: Sequence[Sample],
        config: Input,
        *,
        cache: Path | None = None,
        augmentation: Augmentation = NONE,
        seed: int = 0,
    ) -> None:
        """Check that every sample has its image.

        Parameters
        ----------
        cache : folder for decoded slices; None decodes those of a sample every time that it is taken.

        Raises
        ------
        MissingSlice, DiskFull
        """
        self.samples, self.config, self.augmentation, self.seed = samples, config, augmentation, seed
        self._series = {name: slices.available(release.images / name) for name in {each.folder for each in samples}}
        missing = [each.file_name for each in samples if each.slice not in self._series[each.folder]]
        if missing:
            what = f"the image {missing[0]}"
            if len(missing) > 1:
                what = f"{len(missing)} of {len(samples)} images, the first of them {missing[0]}"
            raise MissingSlice(f"{release.name} lacks {what}; complete the release")
        self._cache = None
        if cache is not None:
            keys = sorted({self._key(sample, number) for sample in samples for number in self._needed(sample)})
            self._cache = SliceCache(cache, f"{release.sha256} {config.spacing_mm}", keys, config.size)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, pick: Pick) -> Item:
        index, epoch = pick
        sample = self.samples[index]
        rng = np.random.default_rng((self.seed, epoch, index))
        jitter = self.augmentation.z_jitter_mm
        offsets = self.config.offsets_mm
        if jitter:
            moved = rng.uniform(-jitter, jitter)
            offsets = tuple(offset + moved if offset else 0.0 for offset in offsets)
        size = self.config.size
        hu = np.empty((len(offsets), size, size), dtype=np.int16)
        shown = _Shown(self, sample)
        for channel, offset in zip(hu, offsets, strict=True):
            near, far, share = slices.between(self._series[sample.folder], sample.slice, sample.interval, offset)
            channel[:] = shown.slice(near)
            if far != near:
                _mix(channel, shown.slice(far), share)
        boxes = shown.frame.to_input(sample.boxes)
        hu, boxes = augment(hu, boxes, self.augmentation, rng)
        return torch.from_numpy(hu), torch.from_numpy(_inside(boxes, size)), index, shown.frame

    def _needed(self, sample: Sample) -> set[int]:
        """Slices that a sample may ask for."""
        jitter = self.augmentation.z_jitter_mm
        numbers = {sample.slice}
        for offset in self.config.offsets_mm:
            low, high = (
                slices.between(self._series[sample.folder], sample.slice, sample.interval, offset + moved)
                for moved in (-jitter, jitter)
            )
            ends = (*low[:2], *high[:2])
            numbers |= set(range(min(ends), max(ends) + 1)) & self._series[sample.folder].keys()
        return numbers

    def _key(self, sample: Sample, number: int) -> str:
        """A slice cropped to the body of its key slice is another picture for every key slice."""
        place = f"{sample.folder}/{number}"
        return place if self.config.spacing_mm is None else f"{place}@{sample.slice}"

    def read(self, sample: Sample, number: int, frame: Frame | None) -> tuple[slices.Hu, Frame]:
        """A slice of a sample in its frame, from the cache where there is one.

        Parameters
        ----------
        frame : that of the key slice; None where this is the key slice, which decides it.
        """
        if self._cache is None:
            return self._decode(sample, number, frame)
        return self._cache.get(self._key(sample, number), lambda: self._decode(sample, number, frame))

    def _decode(self, sample: Sample, number: int, frame: Frame | None) -> tuple[slices.Hu, Frame]:
        path = self._series[sample.folder][number]
        hu = slices.read_hu(path)
        rows, columns = hu.shape
        if (columns, rows) != sample.image_size:
            wanted = "{} x {}".format(*sample.image_size)
            raise CorruptSlice(
                f"{sample.folder}/{path.name} has {columns} x {rows} pixels, Image_size of {sample.file_name} is "
                f"{wanted}; copy it again"
            )
        frame = frame or frame_of(hu, sample.spacing, self.config)
        return resample(hu, frame, self.config.size), frame


class _Shown:
    """The slices of one sample, each read once however many channels it is in."""

    def __init__(self, data: Slices, sample: Sample) -> None:
        key, self.frame = data.read(sample, sample.slice, None)
        self._data, self._sample, self._read = data, sample, {sample.slice: key}

    def slice(self, number: int) -> slices.Hu:
        """In the frame of the key slice."""
        if number not in self._read:
            self._read[number], _ = self._data.read(self._sample, number, self.frame)
        return self._read[number]


def _mix(channel: slices.Hu, other: slices.Hu, share: float) -> None:
    """Interpolate between two slices into the first: fixed point, to 1/16384 of the difference."""
    difference = other.astype(np.int32)
    difference -= channel
    difference *= round(share * ONE)
    difference += ONE // 2
    difference >>= ONE.bit_length() - 1
    np.add(channel, difference, out=channel, casting="unsafe")


def _inside(
    boxes: np.ndarray[tuple[int, ...], np.dtype[np.float64]], size: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Keep boxes on the input, and at least a pixel wide: an annotation's padding may pass the image's edge."""
    low = np.clip(boxes[:, :2], 0, size - 2)
    high = np.clip(boxes[:, 2:], low + 1, size - 1)
    return np.concatenate([low, high], axis=1).astype(np.float32)


def collate(items: Sequence[Item]) -> Batch:
    """Put samples together."""
    hu, boxes, index, frames = zip(*items, strict=True)
    return Batch(torch.stack(hu), list(boxes), list(index), list(frames))


def batches(count: int, size: int, *, seed: int, epoch: int, rank: int = 0, world: int = 1) -> list[list[Pick]]:
    """Order of an epoch, shuffled by seed and epoch, for one of several processes.

    Parameters
    ----------
    size : samples per step over all processes. The last step is filled up from the beginning of the order.
    """
    generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
    order = torch.randperm(count, generator=generator).tolist()
    steps = -(-count // size)
    filled = [order[place % count] for place in range(steps * size)]
    each = size // world
    return [
        [(index, epoch) for index in filled[step * size + rank * each : step * size + (rank + 1) * each]]
        for step in range(steps)
    ]


def loader(data: Slices, picks: list[list[Pick]], *, workers: int, pin: bool = False) -> Iterator[Batch]:
    """Load batches in their order, ahead of time where there are worker processes.

    Raises
    ------
    OutOfMemory : a worker process was ended.
    CorruptSlice
    """
    loading = DataLoader(
        data,
        batch_sampler=picks,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        prefetch_factor=4 if workers else None,
    )
    try:
        yield from loading
    except DetectorError as error:
        # Out of a worker process the message comes wrapped in a traceback, with the sentence on its last line.
        sentence = str(error).strip().splitlines()[-1].rpartition(f"{type(error).__name__}: ")[2]
        raise type(error)(sentence) from error
    except RuntimeError as error:
        if ENDED not in str(error):
            raise
        raise OutOfMemory(
            "A process that loads slices was ended from outside, most often for want of memory; try fewer --workers"
        ) from error
