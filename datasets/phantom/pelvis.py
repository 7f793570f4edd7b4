"""Bladder, womb or prostate, and the vessels that run to the legs."""

import numpy as np

from datasets.phantom.body import FAT
from datasets.phantom.build import Build, enhanced
from datasets.phantom.canvas import Canvas, Warp, soft
from datasets.phantom.shapes import Ellipsoid, Tubes
from datasets.phantom.trees import chain, smooth_path, tube


class Pelvis:
    """The organs of one patient's pelvis."""

    def __init__(self, build: Build, warp: Warp) -> None:
        self.build = build
        full = float(build.rng("bladder").uniform(0.7, 1.25))
        self.bladder = Ellipsoid((0.0, -24.0, 22 + 14 * full), (38 * full, 30 * full, 28 * full))
        self.female = build.sex == "F"
        x, y, z, size = build.jitter("womb", 6, 4, 4, 0.12)
        self.womb = Ellipsoid((x, 14 + y, 52 + z), (28 * (1 + size), 25 * (1 + size), 34.0), 0, (0.0, -0.35))
        self.vagina = Ellipsoid((0.0, 20.0, 4.0), (18.0, 8.0, 26.0))
        self.ovaries = [Ellipsoid((side * 42.0, 14.0, 64.0), (14.0, 11.0, 13.0)) for side in (-1, 1)]
        large = 1 + max(0, build.age - 45) / 110
        self.prostate = Ellipsoid((0.0, 2.0, -2.0), (22 * large, 16 * large, 19 * large))
        self.vesicles = [Ellipsoid((side * 17.0, 22.0, 24.0), (18.0, 6.0, 9.0), -side * 18) for side in (-1, 1)]
        route = (
            (0, 16, 160),
            (24, 28, 128),
            (42, 30, 104),
            (58, -2, 68),
            (62, -34, 32),
            (64, -54, 4),
            (68, -52, -40),
            (74, -40, -120),
        )
        self.arteries = Tubes(
            warp,
            np.vstack(
                [
                    chain(
                        *(tuple(p) for p in smooth_path(np.array([(side * px, py, pz, 5.0) for px, py, pz in route])))
                    )
                    for side in (-1, 1)
                ]
                + [
                    chain((side * 38, 30, 106, 3.5), (side * 52, 50, 76, 3), (side * 58, 40, 40, 2))
                    for side in (-1, 1)
                ]
            ),
        )
        self.veins = Tubes(
            warp,
            np.vstack(
                [
                    chain(
                        *(
                            tuple(p)
                            for p in smooth_path(
                                np.array(
                                    [(-8 if px == 0 else side * (px - 7), py + 10, pz, 6.2) for px, py, pz in route]
                                )
                            )
                        )
                    )
                    for side in (-1, 1)
                ]
                + [
                    chain((side * 34, 42, 104, 4.5), (side * 48, 58, 76, 4), (side * 54, 46, 40, 3))
                    for side in (-1, 1)
                ]
            ),
        )
        self.floor = Tubes(
            warp,
            np.vstack(
                [
                    chain(
                        (side * 4, -36, -26, 5),
                        (side * 16, 0, -22, 5),
                        (side * 18, 40, -16, 6),
                        (side * 3, 66, -14, 6),
                    )
                    for side in (-1, 1)
                ]
            ),
        )
        self.sphincter = Tubes(warp, tube((0, 58, 2, 9), (0, 52, -22, 10), (0, 62, -42, 9)))
        self.perineum = Tubes(
            warp,
            np.vstack(
                [
                    piece
                    for side in (-1, 1)
                    for piece in (
                        # crus along the pubic arch; the superficial muscle that bounds the triangle behind
                        tube((side * 10, -34, -32, 5), (side * 24, -12, -42, 5.5), (side * 42, 14, -54, 4)),
                        chain((side * 4, 34, -40, 3), (side * 44, 26, -48, 3)),
                    )
                ]
                + (
                    []
                    if self.female
                    else [tube((0, 24, -36, 9), (0, -4, -44, 9), (0, -34, -46, 10), (0, -62, -58, 11))]
                )
            ),
        )
        self.obturators = Tubes(
            warp,
            np.vstack(
                [
                    chain(
                        (side * (57 - drop / 4), -20, 34 - drop, 6),
                        (side * (56 - drop / 4), 8, 32 - drop, 8),
                        (side * (58 - drop / 4), 32, 30 - drop, 7),
                    )
                    for side in (-1, 1)
                    for drop in (0, 12, 24, 36, 48)
                ]
            ),
        )

    def paint(self, canvas: Canvas, phase: str) -> None:
        """Paint over fat; the bowel comes before."""
        muscle = enhanced("muscle", phase)
        self.obturators.paint(canvas, muscle)
        self.floor.paint(canvas, muscle - 4)
        self.perineum.paint(canvas, muscle + (0 if self.female else 12))
        self.sphincter.paint(canvas, muscle + 4)
        self.sphincter.paint(canvas, 15, grow=-6.5)
        if self.female:
            self._organ(canvas, self.vagina, 62)
            self._organ(canvas, self.womb, enhanced("uterus", phase))
            Ellipsoid(self.womb.centre, (9.0, 5.0, 16.0), 0, self.womb.lean).paint(
                canvas, enhanced("uterus", phase) * 0.6
            )
            for ovary in self.ovaries if self.build.age < 55 else ():
                self._organ(canvas, ovary, 52)
        else:
            self._organ(canvas, self.prostate, muscle + 12)
            for vesicle in self.vesicles:
                self._organ(canvas, vesicle, 38)
        self._bladder(canvas, phase)
        self.veins.paint(canvas, enhanced("vein", phase) * (0.8 if phase == "portal" else 1.0))
        self.arteries.paint(canvas, enhanced("artery", phase))

    def _organ(self, canvas: Canvas, organ: Ellipsoid, hu: float) -> None:
        window = organ.grown(3).window(canvas)
        if window is not None:
            canvas.paint(window, organ.grown(2.5).cover(canvas, window), np.float32(FAT + 12))
            texture = np.float32(hu) + 5 * canvas.noise(window, 12.0, 61)
            canvas.paint(window, organ.cover(canvas, window), texture)

    def _bladder(self, canvas: Canvas, phase: str) -> None:
        outer = self.bladder.grown(3)
        window = outer.window(canvas)
        if window is None:
            return
        canvas.paint(window, outer.grown(3).cover(canvas, window), np.float32(FAT + 6))
        canvas.paint(window, outer.cover(canvas, window), np.float32(48))
        urine = np.float32(enhanced("bladder", phase))
        cover = self.bladder.cover(canvas, window)
        canvas.paint(window, cover, urine)
        if phase == "delayed":
            layer = soft(np.float32(self.bladder.centre[1] + 8) - canvas.Y[window], 3.0)
            canvas.paint(window, cover * layer, np.float32(380))
