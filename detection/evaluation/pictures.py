"""Pictures as in Figs. 12 to 21: ground truth, correct detections, false positives and misses on the slice."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from detection.data.slices import read_hu
from detection.evaluation.labels import Frame, place
from detection.evaluation.overlap import Floats, paired_iou

YELLOW, GREEN, RED, BLUE = (255, 221, 0), (0, 200, 80), (240, 40, 40), (60, 130, 255)
"""Ground truth (dashed), correct, false positive, missed."""
SURE = 0.5
"""Detections of higher scores are shown."""
IOU = 0.5
DASH = 5
SOFT, LUNG = (-175.0, 275.0), (-1400.0, 200.0)
"""Windows in HU; the lung's where the boxes hold mostly air."""
AERATED_HU = -400
LONGEST_SIDE = 512
LETTERS = 14
"""Height of the scores in pixels of the picture."""


def sort_out(lesions: Floats, found: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which detections (K, 5) are correct and which lesions (M, 4) are missed by all of them."""
    hit = _hits(lesions, found)
    return np.asarray(hit.any(axis=0)), np.asarray(~hit.any(axis=1))


def _hits(lesions: Floats, found: Floats) -> NDArray[np.bool_]:
    """Which lesions (M, 4) which detections (K, 5) hit: (M, K)."""
    pairs = [paired_iou(np.tile(lesion, (len(found), 1)), found[:, :4], 1.0) for lesion in lesions]
    return np.asarray(np.array(pairs).reshape(len(lesions), len(found)) >= IOU)


def choose(lesions: list[Floats], found: list[Floats], *, count: int, seed: int) -> list[tuple[int, str]]:
    """Pick images: `count` at random, and the `count` worst misses: lesions hit by no detection but unsure ones.

    Returns
    -------
    Index of the image and `random` or `missed`; an image comes once.
    """
    if not count:
        return []
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(lesions))[:count].tolist()
    surest = []
    for boxes, detections in zip(lesions, found, strict=True):
        scores = np.where(_hits(boxes, detections), detections[:, 4], 0.0).max(axis=1, initial=0.0)
        surest.append(scores.min(initial=1.0))
    worst = [
        index for index in np.argsort(surest, kind="stable").tolist() if surest[index] < SURE and index not in drawn
    ]
    return [*((index, "random") for index in drawn), *((index, "missed") for index in worst[:count])]


def draw(slice_path: Path, lesions: Floats, found: Floats, out: Path) -> None:
    """Draw one slice with its boxes (0-based) as PNG, scores beside the detections; appears when it is whole.

    Raises
    ------
    MissingSlice, CorruptSlice
    """
    hu = read_hu(slice_path)
    low, high = _window(hu, lesions)
    grey = np.clip((hu - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    image = Image.fromarray(grey)
    zoom = max(1, LONGEST_SIDE // max(image.size))
    image = image.resize((image.width * zoom, image.height * zoom)).convert("RGB")
    canvas = ImageDraw.Draw(image)
    shown = found[found[:, 4] > SURE]
    correct, missed = sort_out(lesions, shown)
    for lesion, is_missed in zip(_on_canvas(lesions, zoom), missed, strict=True):
        if is_missed:
            canvas.rectangle(_grown(lesion, 2), outline=BLUE)
        _dashed(canvas, lesion)
    boxes = [Frame(*box) for box in _on_canvas(shown[:, :4], zoom)]
    font = ImageFont.load_default(LETTERS)
    labels = place(
        boxes, [False] * len(boxes), Frame(0, 0, *image.size), width=font.getlength("0.000"), height=LETTERS
    )
    for box, label, score, is_correct in zip(boxes, labels, shown[:, 4], correct, strict=True):
        colour = GREEN if is_correct else RED
        canvas.rectangle(box, outline=colour)
        foot = "ls" if label.anchor == "start" else "rs"
        canvas.text(
            (label.x, label.y),
            f"{score:.3f}",
            fill=colour,
            font=font,
            anchor=foot,
            stroke_width=1,
            stroke_fill="black",
        )
    temporary = out.with_name(f".{out.name}.part")
    image.save(temporary, format="PNG")
    temporary.replace(out)


def _window(hu: NDArray[np.int16], lesions: Floats) -> tuple[float, float]:
    for x1, y1, x2, y2 in np.rint(lesions).astype(int).clip(0).tolist():
        if np.median(hu[y1 : y2 + 1, x1 : x2 + 1]) < AERATED_HU:
            return LUNG
    return SOFT


def _on_canvas(boxes: Floats, zoom: int) -> list[tuple[float, float, float, float]]:
    ends = np.sort(((boxes + 0.5) * zoom - 0.5).reshape(-1, 2, 2), axis=1).reshape(-1, 4)
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in ends.tolist()]


def _grown(box: tuple[float, float, float, float], by: float) -> tuple[float, float, float, float]:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _dashed(canvas: ImageDraw.ImageDraw, box: tuple[float, float, float, float]) -> None:
    x1, y1, x2, y2 = box
    for start in np.arange(x1, x2, 2 * DASH).tolist():
        end = min(start + DASH, x2)
        canvas.line([(start, y1), (end, y1)], fill=YELLOW)
        canvas.line([(start, y2), (end, y2)], fill=YELLOW)
    for start in np.arange(y1, y2, 2 * DASH).tolist():
        end = min(start + DASH, y2)
        canvas.line([(x1, start), (x1, end)], fill=YELLOW)
        canvas.line([(x2, start), (x2, end)], fill=YELLOW)
