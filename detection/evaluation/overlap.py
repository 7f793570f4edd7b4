"""Overlap of one box with one box, row by row, in the two conventions in use."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHUNK = 8192
"""Pairs at a time, so that what lies between stays in the processor's cache."""


def paired_iou(first: Floats, second: Floats, extra: float) -> Floats:
    """Intersection over union of row i of one with row i of the other.

    Parameters
    ----------
    first, second : (N, 4) x1, y1, x2, y2.
    extra : added to width and height: 1 where a box names its first and last pixel, 0 for continuous edges.

    Returns
    -------
    (N,) in 0..1; 0 where both boxes are empty.
    """
    result = np.empty(len(first))
    for start in range(0, len(first), CHUNK):
        part = slice(start, start + CHUNK)
        result[part] = _paired_iou(first[part], second[part], extra)
    return result


def _paired_iou(first: Floats, second: Floats, extra: float) -> Floats:
    ax1, ay1, ax2, ay2 = np.ascontiguousarray(first.T)
    bx1, by1, bx2, by2 = np.ascontiguousarray(second.T)
    width = np.minimum(ax2, bx2) - np.maximum(ax1, bx1) + extra
    height = np.minimum(ay2, by2) - np.maximum(ay1, by1) + extra
    intersection = np.maximum(width, 0) * np.maximum(height, 0)
    union = (ax2 - ax1 + extra) * (ay2 - ay1 + extra) + (bx2 - bx1 + extra) * (by2 - by1 + extra) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def iobb(detections: Floats, lesions: Floats) -> Floats:
    """Intersection over the detected box of every detection with every lesion, in 3-D, ends included.

    Parameters
    ----------
    detections : (N, 6), lesions : (M, 6) x1, y1, z1, x2, y2, z2; z in slices.

    Returns
    -------
    (N, M) in 0..1.
    """
    low = np.maximum(detections[:, None, :3], lesions[None, :, :3])
    high = np.minimum(detections[:, None, 3:], lesions[None, :, 3:])
    intersection = np.clip(high - low + 1, 0, None).prod(axis=-1)
    volume = np.clip(detections[:, 3:] - detections[:, :3] + 1, 0, None).prod(axis=-1)
    return np.divide(intersection, volume[:, None], out=np.zeros_like(intersection), where=volume[:, None] > 0)
