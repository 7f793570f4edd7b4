"""The bones that carry the limbs: shoulder girdle and humeral heads, pelvis, hips and femora."""

import numpy as np

from datasets.phantom.bones import bars, bone, density
from datasets.phantom.build import Build
from datasets.phantom.canvas import Canvas, cut
from datasets.phantom.shapes import Ellipsoid, bar_distance


def paint(canvas: Canvas, build: Build) -> None:
    """Paint the girdles' bones that the slice meets."""
    _shoulders(canvas, build)
    _pelvis(canvas, build)


def _shoulders(canvas: Canvas, build: Build) -> None:
    marrow = density(build)
    bars(
        canvas,
        430,
        556,
        np.array(
            [
                [430, 98, 92, 104, 78, 2.5],
                [470, 86, 104, 122, 62, 2.8],
                [510, 84, 102, 140, 46, 3.2],
                [535, 86, 92, 152, 36, 4.5],
                [556, 100, 76, 155, 30, 4.0],
            ]
        ),
        marrow,
        bulge=5,
    )
    bars(
        canvas,
        518,
        566,
        np.array(
            [
                [518, 22, -56, 32, -56, 7.5],
                [530, 28, -58, 62, -52, 6.0],
                [545, 55, -50, 105, -14, 5.5],
                [566, 110, -8, 150, 22, 6.0],
            ]
        ),
        marrow * 1.2,
    )
    for side in (1, -1):
        head = Ellipsoid((side * 147, 20, 541), (21, 22, 22))
        window = head.window(canvas)
        if window is not None:
            distance, _ = head.distance(canvas, window)
            bone(canvas, window, np.asarray(distance), marrow)


def _pelvis(canvas: Canvas, build: Build) -> None:
    if float(canvas.z.min()) > 175:
        return
    marrow = density(build) * 0.8
    wide = 1.06 if build.sex == "F" else 1.0
    bars(
        canvas,
        22,
        168,
        np.array(
            [
                [22, 72, 30, 104, -28, 13.0],
                [32, 76, 32, 108, -34, 11.0],
                [48, 74, 46, 112, -38, 7.0],
                [70, 58, 72, 114, -36, 5.5],
                [92, 44, 80, 120, -30, 5.0],
                [130, 50, 74, 122, -12, 4.5],
                [155, 66, 56, 112, 2, 4.0],
                [168, 80, 40, 100, 15, 3.2],
            ]
        )
        * np.array([1, wide, 1, wide, 1, 1]),
        marrow,
        bulge=-7,
    )
    bars(
        canvas,
        -8,
        30,
        np.array(
            [
                [-8, 62, 30, 68, -16, 4.0],
                [10, 60, 34, 64, -24, 4.5],
                [30, 64, 36, 72, -26, 8.0],
            ]
        ),
        marrow,
    )
    bars(
        canvas,
        -12,
        26,
        np.array([[-12, 74, 36, 92, 36, 7.0], [10, 66, 36, 96, 36, 7.5], [26, 66, 34, 100, 32, 9.0]]),
        marrow,
    )
    bars(
        canvas,
        -14,
        24,
        np.array(
            [
                [-14, 5, -46, 22, -44, 8.0],
                [2, 8, -48, 55, -34, 7.5],
                [14, 34, -44, 70, -30, 6.5],
                [24, 62, -34, 84, -34, 7.0],
            ]
        ),
        marrow,
    )
    bars(
        canvas,
        -62,
        -8,
        np.array([[-62, 58, 32, 62, 32, 10.0], [-40, 60, 32, 70, 32, 13.0], [-8, 70, 34, 86, 36, 9.0]]),
        marrow,
    )
    bars(
        canvas,
        -50,
        -12,
        np.array([[-50, 48, 16, 56, 22, 4.5], [-30, 24, -22, 32, -14, 4.5], [-12, 6, -44, 16, -40, 5.5]]),
        marrow,
    )
    bars(
        canvas,
        -160,
        -12,
        np.array(
            [
                [-160, 100, 4, 101, 4, 15.0],
                [-50, 120, 10, 121, 10, 16.0],
                [-28, 124, 12, 132, 14, 19.0],
                [-12, 126, 14, 138, 18, 12.0],
            ]
        ),
        marrow * 0.5,
    )
    bars(
        canvas,
        -26,
        4,
        np.array([[-26, 112, 8, 126, 12, 13.0], [-10, 96, 4, 122, 10, 12.0], [4, 90, 4, 108, 6, 9.0]]),
        marrow,
    )
    for side in (1, -1):
        head = Ellipsoid((side * 90 * wide, 3, 6), (23, 23, 23))
        window = head.window(canvas)
        if window is not None:
            joint = head.grown(2.5)
            canvas.paint(window, joint.cover(canvas, window), 60.0)
            distance, _ = head.distance(canvas, window)
            bone(canvas, window, np.asarray(distance), marrow * 1.5)
    window = canvas.window((-64, 40, 30), (64, 120, 118))
    if window is not None:
        z = cut(canvas.z, window)
        half = np.interp(z, [30, 50, 80, 105, 118], [8, 20, 36, 44, 40]).astype(np.float32)
        y = np.interp(z, [30, 50, 80, 105, 118], [96, 104, 92, 78, 68]).astype(np.float32)
        radius = np.interp(z, [30, 50, 80, 105, 118], [4, 7, 10, 12, 6]).astype(np.float32)
        zero = np.zeros_like(half)
        for side in (1, -1):
            bar = bar_distance(canvas, window, (zero, y), (side * half, y + 4)) - radius
            holes = canvas.noise(window, 21.0, 24) * 3 - 5
            bone(canvas, window, np.maximum(bar, holes), marrow)
