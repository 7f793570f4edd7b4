"""The muscles at the back of the abdomen: psoas, iliacus, quadratus lumborum and the crura of the diaphragm."""

import numpy as np

from datasets.phantom.build import Build, enhanced
from datasets.phantom.canvas import Canvas, Warp
from datasets.phantom.shapes import Tubes
from datasets.phantom.trees import chain, tube


class PosteriorWall:
    """These muscles of one patient."""

    def __init__(self, build: Build, warp: Warp) -> None:
        self.psoas = Tubes(
            warp,
            np.vstack(
                [
                    tube(
                        *(
                            (side * px, py, pz, pr * build.muscle)
                            for px, py, pz, pr in (
                                (24, 50, 290, 7),
                                (32, 54, 250, 13),
                                (40, 56, 205, 19),
                                (46, 48, 160, 22),
                                (56, 24, 110, 21),
                                (66, -12, 65, 18),
                                (82, -28, 25, 17),
                                (100, -12, -15, 14),
                            )
                        )
                    )
                    for side in (-1, 1)
                ]
            ),
        )
        self.iliacus = Tubes(
            warp,
            np.vstack(
                [
                    chain(
                        (side * (64 + 0.7 * out), 46 + 0.6 * out, z, 8),
                        (side * (84 + out), 14 + 0.8 * out, z, 9.5),
                        (side * (100 + 0.4 * out), -16 + 0.3 * out, z, 8),
                    )
                    for side in (-1, 1)
                    for z, out in ((52, 0), (66, 0), (80, 1), (94, 3), (108, 6), (122, 9), (136, 12))
                ]
            ),
        )
        self.lumborum = Tubes(
            warp,
            np.vstack(
                [
                    tube(
                        *(
                            (side * px, py, pz, pr)
                            for px, py, pz, pr in (
                                (58, 72, 290, 7),
                                (66, 72, 240, 12),
                                (74, 68, 190, 14),
                                (82, 60, 165, 9),
                            )
                        )
                    )
                    for side in (-1, 1)
                ]
            ),
        )
        self.crura = Tubes(
            warp,
            np.vstack(
                [
                    tube(
                        *(
                            (side * px + 6, py, pz, pr)
                            for px, py, pz, pr in (
                                (14, 8, 345, 4),
                                (17, 26, 320, 5.5),
                                (16, 36, 290, 6),
                                (14, 34, 250, 4),
                            )
                        )
                    )
                    for side in (-1, 1)
                ]
            ),
        )

    def paint(self, canvas: Canvas, phase: str) -> None:
        """Paint them over fat."""
        muscle = enhanced("muscle", phase)
        self.psoas.paint(canvas, muscle)
        self.iliacus.paint(canvas, muscle)
        self.lumborum.paint(canvas, muscle - 2)
        self.crura.paint(canvas, muscle)
