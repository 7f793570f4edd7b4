"""The vessels of the abdomen: cava, portal and hepatic veins, and what the aorta gives off."""

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.build import Build, enhanced
from datasets.phantom.canvas import Canvas, Warp
from datasets.phantom.shapes import Tubes
from datasets.phantom.trees import chain, grow, smooth_path, tube

Points = NDArray[np.float64]


class AbdominalVessels:
    """The vessels of one patient's abdomen, the aorta left out."""

    def __init__(self, build: Build, warp: Warp, liver: Points) -> None:
        """`liver`: (N, 3) points inside the liver that its veins reach, body frame, mm."""
        self.portal = Tubes(
            warp, grow(np.array([[-8.0, -2, 290], [-28, -6, 306], [-42, -8, 314]]), liver[:60], 0.9, 0.45)
        )
        self.hepatic = Tubes(warp, grow(np.array([[-24.0, 6, 378], [-26, 2, 370]]), liver[60:120], 0.9, 0.47))
        self.cava = Tubes(
            warp,
            tube(
                (-28, -14, 420, 14),
                (-26, 2, 385, 13),
                (-24, 8, 350, 12.5),
                (-22, 10, 300, 11.5),
                (-20, 14, 230, 11),
                (-16, 18, 150, 10),
            ),
        )
        self.splenoportal = Tubes(
            warp,
            np.vstack(
                [
                    tube(
                        (-28, -6, 306, 7),
                        (-8, -4, 286, 7),
                        (6, -6, 276, 6.5),
                        (30, 4, 286, 5),
                        (60, 18, 304, 4.5),
                        (84, 26, 318, 3.5),
                    ),
                    chain((4, -8, 278, 5.5), (8, -22, 240, 5), (6, -30, 200, 3.5)),
                ]
            ),
        )
        self.arteries = Tubes(
            warp,
            np.vstack(
                [
                    chain((4, 14, 296, 4), (4, -4, 300, 3.8), (-16, -10, 304, 2.5)),
                    _splenic(build),
                    chain((4, 12, 282, 4), (3, -12, 262, 3.8), (4, -24, 220, 3), (8, -28, 180, 2)),
                    chain((6, 16, 268, 3), (34, 30, 266, 2.6), (48, 36, 266, 2)),
                    chain((2, 16, 266, 3), (-34, 32, 258, 2.6), (-48, 36, 256, 2)),
                ]
            ),
        )
        self.renal_veins = Tubes(
            warp,
            np.vstack(
                [
                    chain((-20, 10, 262, 5.5), (-48, 34, 256, 4.5)),
                    chain((-18, 4, 262, 5), (6, 0, 264, 4.5), (48, 34, 266, 4.5)),
                ]
            ),
        )

    def paint_in_liver(self, canvas: Canvas, phase: str, liver: float) -> None:
        """Paint the veins inside the liver, whose own HU are `liver`."""
        hepatic = 0.85 * enhanced("vein", phase) + 0.15 * liver
        self.hepatic.paint(canvas, max(hepatic, liver - 14) if phase != "arterial" else liver - 8)
        self.portal.paint(canvas, enhanced("portal vein", phase))

    def paint_veins(self, canvas: Canvas, phase: str) -> None:
        """Paint cava and renal veins, which lie behind the pancreas."""
        self.renal_veins.paint(canvas, enhanced("vein", phase) + 15)
        self.cava.paint(canvas, enhanced("vein", phase))

    def paint_over_pancreas(self, canvas: Canvas, phase: str) -> None:
        """Paint the portal vein's roots and the arteries."""
        self.splenoportal.paint(canvas, enhanced("portal vein", phase))
        self.arteries.paint(canvas, enhanced("artery", phase) * 0.92)


def _splenic(build: Build) -> Points:
    """The splenic artery (N, 8): it winds along the upper border of the pancreas, more so in the old."""
    share = np.linspace(0, 1, 11)
    course = np.array([(4, -4, 300, 2.7), (40, 6, 301, 2.4), (62, 16, 310, 2.2), (82, 25, 322, 1.9)])
    path = np.stack([np.interp(share, [0, 0.42, 0.7, 1], column) for column in course.T], axis=1)
    turn, length = build.rng("splenic artery").uniform((0, 2.2), (2 * np.pi, 3.2))
    wind = (3.0 + max(0, build.age - 30) / 14) * np.sin(np.pi * share) ** 0.7
    path[:, 1] += 0.7 * wind * np.sin(2 * np.pi * length * share + turn)
    path[:, 2] += wind * np.cos(2 * np.pi * length * share + turn)
    return chain(*(tuple(point) for point in smooth_path(path, spacing=4.0)))
