"""The bones that carry the arms: shoulder blade, collar bone and the head of the humerus."""

import numpy as np

from datasets.phantom.bones import bars, bone, density
from datasets.phantom.build import Build
from datasets.phantom.canvas import Canvas
from datasets.phantom.shapes import Ellipsoid


def paint(canvas: Canvas, build: Build) -> None:
    """Paint the bones of both shoulders that the slice meets."""
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
