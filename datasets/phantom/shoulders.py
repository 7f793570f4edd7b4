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
                [510, 84, 102, 132, 50, 3.4],
                [532, 86, 94, 130, 42, 5.5],
                [546, 92, 86, 128, 42, 5.0],
                [556, 100, 76, 122, 50, 3.0],
            ]
        ),
        marrow,
        bulge=5,
    )
    bars(  # spine of the shoulder blade and acromion
        canvas,
        532,
        562,
        np.array(
            [
                [532, 98, 96, 112, 84, 2.5],
                [548, 100, 94, 148, 56, 4.0],
                [562, 124, 70, 142, 38, 4.5],
            ]
        ),
        marrow,
    )
    bars(  # coracoid process
        canvas,
        538,
        556,
        np.array([[538, 114, -6, 118, 0, 4.5], [548, 114, -4, 124, 22, 5.0], [556, 122, 16, 126, 34, 4.5]]),
        marrow,
    )
    bars(
        canvas,
        518,
        562,
        np.array(
            [
                [518, 22, -56, 32, -56, 7.5],
                [530, 28, -58, 62, -52, 6.0],
                [545, 55, -50, 105, -14, 5.5],
                [562, 104, -12, 140, 14, 6.0],
            ]
        ),
        marrow * 1.2,
    )
    for side in (1, -1):
        head = Ellipsoid((side * 151, 18, 541), (21, 22, 22))
        window = head.window(canvas)
        if window is not None:
            distance, _ = head.distance(canvas, window)
            bone(canvas, window, np.asarray(distance), marrow)
