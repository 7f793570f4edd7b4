"""FROC of a test split as large as DeepLesion's against the plain loop that it must agree with."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.result import Result
from detection.evaluation.curve import Curve, froc
from detection.evaluation.matching import Convention, match
from detection.evaluation.tables import Detections, Truth

IMAGES = 4_831
PER_IMAGE = 100
SECONDS = 0.15
"""What the whole curve may take."""
LOOP_IMAGES = 200
"""The loop is measured on so many; its time grows with the images."""


def run() -> Iterator[Result]:
    """Measure matching and curve, without reading the files."""
    truth, found = example(IMAGES, PER_IMAGE)
    seconds = best(lambda: curve(truth, found))
    yield Result("FROC, seconds", seconds, f"{IMAGES} images, {len(found.scores)} detections", at_most=SECONDS)
    small = example(LOOP_IMAGES, PER_IMAGE)
    loop = best(lambda: naive(*small, 0.5, "deeplesion"), 1) * IMAGES / LOOP_IMAGES
    yield Result(
        "FROC / naive loop", seconds / loop, f"the loop takes {loop:.1f} s (from {LOOP_IMAGES} images)", at_most=0.1
    )
    own = best(lambda: curve(*small), 20)
    monai = _monai(*small)
    # MONAI compares every score with every distinct one, so its time grows with the square of the images.
    yield Result("FROC / monai.metrics", own / monai, f"monai's curve takes {monai:.1f} s at {LOOP_IMAGES} images")


def curve(truth: Truth, found: Detections) -> Curve:
    """What is measured: matching and the whole curve."""
    matched = match(truth, found, 0.5, "deeplesion")
    return froc(matched.hit_scores, found.scores[matched.false_positive], len(truth.names))


def best(work: Callable[[], Any], repeats: int = 5, clock: Callable[[], float] = time.perf_counter) -> float:
    """Shortest of some runs, in seconds; by `time.process_time` for what one core does."""
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def example(images: int, per_image: int, seed: int = 0) -> tuple[Truth, Detections]:
    """Make images with one to three lesions, and detections of which some lie near them; some scores are equal."""
    rng = np.random.default_rng(seed)
    count = np.where(rng.random(images) < 0.02, rng.integers(2, 4, images), 1)
    image = np.repeat(np.arange(images), count)
    corner = rng.uniform(0, 400, (len(image), 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 60, corner.shape)], axis=1)
    truth = Truth(
        tuple(f"{number:06d}_01_01_001.png" for number in range(images)), np.arange(images) // 7, image, boxes,
        rng.integers(1, 9, len(image)), rng.uniform(3, 60, len(image)),
    )  # fmt: skip
    of = np.repeat(np.arange(images), per_image)
    first = np.searchsorted(image, of)
    near = rng.random(len(of)) < 0.2
    moved = boxes[first] + rng.normal(0, 4, (len(of), 4))
    start = rng.uniform(0, 400, (len(of), 2))
    elsewhere = np.concatenate([start, start + rng.uniform(10, 60, start.shape)], axis=1)
    found = np.where(near[:, None], moved, elsewhere)
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2])
    scores = np.round(rng.random(len(of)), 5)
    return truth, Detections(of, found, scores)


def naive(truth: Truth, found: Detections, iou: float, convention: Convention) -> list[tuple[float, float]]:
    """Walk through the detections one by one, score by score; the oracle. Returns (FP per image, sensitivity)."""
    extra = 1.0 if convention == "deeplesion" else 0.0
    hit = [False] * len(truth.boxes)
    wrong = 0
    points: list[tuple[float, float]] = []
    overlaps = [
        {lesion: _iou(box, truth.boxes[lesion], extra) for lesion in np.flatnonzero(truth.image == image).tolist()}
        for image, box in zip(found.image.tolist(), found.boxes, strict=True)
    ]
    pairs = [max(values.values(), default=0.0) for values in overlaps]
    order = sorted(range(len(pairs)), key=lambda number: (-found.scores[number], -pairs[number]))
    for place, number in enumerate(order):
        enough = {lesion: value for lesion, value in overlaps[number].items() if value >= iou}
        if convention == "strict":
            free = {lesion: value for lesion, value in enough.items() if not hit[lesion]}
            enough = dict([max(free.items(), key=lambda pair: pair[1])]) if free else {}
        for lesion in enough:
            hit[lesion] = True
        wrong += not enough
        following = order[place + 1] if place + 1 < len(order) else None
        if following is None or found.scores[following] != found.scores[number]:
            points.append((wrong / len(truth.names), sum(hit) / len(hit)))
    return points


def _iou(a: Any, b: Any, extra: float) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0]) + extra
    height = min(a[3], b[3]) - max(a[1], b[1]) + extra
    if width <= 0 or height <= 0:
        return 0.0
    area = (a[2] - a[0] + extra) * (a[3] - a[1] + extra) + (b[2] - b[0] + extra) * (b[3] - b[1] + extra)
    return float(width * height / (area - width * height))


def _monai(truth: Truth, found: Detections) -> float:
    """Time of MONAI's curve alone, on detections that are matched already."""
    # Imported here because tests use this module's plain loop, and MONAI takes seconds to load.
    from monai.metrics import compute_froc_curve_data

    matched = match(truth, found, 0.5, "deeplesion")
    wrong = found.scores[matched.false_positive]
    hits = np.maximum(matched.hit_scores, 0)
    return best(lambda: compute_froc_curve_data(wrong, hits, len(hits), len(truth.names)), 1)
