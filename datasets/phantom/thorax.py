"""The chest: lungs with vessels and airways, diaphragm, heart, great vessels, oesophagus, thyroid, breasts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.body import FAT, Depths, cavity
from datasets.phantom.bones import spine_y
from datasets.phantom.build import Build, enhanced
from datasets.phantom.canvas import Canvas, Warp, cut, soft
from datasets.phantom.shapes import Ellipsoid, Tubes
from datasets.phantom.trees import chain, grow, tube

Array = NDArray[np.floating[Any]]

AIR = -1000.0
CARINA = (0.0, 26.0, 470.0)
_SUBCLAVIAN = ((44, -4, 561, 4.6), (66, -16, 557, 4.4), (96, -14, 540, 4.2), (118, 0, 514, 3.8))


class Thorax:
    """The chest of one patient."""

    def __init__(self, build: Build, warp: Warp) -> None:
        self.build = build
        shift = build.jitter("heart", 4, 3, 6, 0.05)
        size = 1 + shift[3] + max(0, build.age - 60) / 600
        self.fat = float(np.clip(0.5 + 0.5 * build.visceral, 0.6, 1.4))
        """How wide the fat in front of the great vessels is."""
        self.heart_at = np.array(shift[:3])
        self.dome = np.array([392.0, 379.0]) + np.array(build.jitter("diaphragm", 10, 8))
        self.heart = self._ellipsoid((20, -26, 408), (60 * size, 45 * size, 50), 22)
        self.chambers = [
            ("chamber", self._ellipsoid((44, -16, 405), (23 * size, 30 * size, 32), 35)),
            ("chamber", self._ellipsoid((8, -45, 404), (31 * size, 18 * size, 34), 18)),
            ("chamber", self._ellipsoid((-27, -22, 412), (19 * size, 25 * size, 28), 10)),
            ("chamber", self._ellipsoid((6, 8, 428), (32 * size, 17 * size, 22), 5)),
        ]
        wide = 1 + 0.003 * max(0, build.age - 50)
        self.aorta = Tubes(
            warp,
            tube(
                (6, -14, 428, 15 * wide),
                (-16, -27, 448, 15.5 * wide),
                (-19, -27, 472, 15 * wide),
                (-12, -18, 489, 14 * wide),
                (4, 2, 496, 13 * wide),
                (18, 26, 490, 12.5 * wide),
                (23, 44, 470, 12 * wide),
                (22, 50, 430, 11.5 * wide),
                (20, 48, 380, 11.5 * wide),
                (12, 38, 330, 11 * wide),
                (5, 22, 285, 10.5 * wide),
                (4, 14, 230, 9.5 * wide),
                (3, 16, 156, 8.5 * wide),
            ),
        )
        self.arch_vessels = Tubes(
            warp,
            np.vstack(
                [
                    chain((-8, -14, 496, 6), (-16, -4, 525, 6), (-28, 0, 548, 4), (-34, 4, 600, 3.5)),
                    chain((4, 2, 500, 4), (12, 2, 530, 3.8), (26, 4, 580, 3.5)),
                    chain((16, 18, 496, 5), (22, 18, 530, 5), (26, 12, 552, 4.6)),
                    # The subclavian arteries cross the first ribs in front of the lungs' tops.
                    tube((-18, -3, 532, 5), (-28, 6, 552, 4.6), *((-x, y, z, r) for x, y, z, r in _SUBCLAVIAN)),
                    tube((26, 12, 552, 4.6), *_SUBCLAVIAN),
                ]
            ),
        )
        self.veins = Tubes(
            warp,
            np.vstack(
                [
                    tube((-30, -17, 440, 10), (-30, -16, 470, 9.5), (-29, -17, 500, 8.5), (-27, -18, 520, 7)),
                    chain(
                        (-28, -18, 512, 7),
                        (-5, -28, 520, 6.5),
                        (22, -22, 535, 6.5),
                        (30, -18, 554, 6.5),
                        (38, -4, 580, 6),
                    ),
                    chain((-28, -18, 516, 7), (-30, -15, 540, 7), (-35, -12, 554, 6.5), (-40, -2, 600, 6)),
                    *(
                        tube(
                            (side * 32, -17, 554, 6),
                            (side * 60, -29, 556, 5.5),
                            (side * 92, -25, 542, 5),
                            (side * 120, -8, 508, 4.5),
                        )
                        for side in (-1, 1)
                    ),
                    chain((-28, 38, 462, 3.5), (-14, 46, 455, 3.2), (-9, 50, 400, 3), (-8, 46, 320, 2.5)),
                ]
            ),
        )
        self.lung_arteries = Tubes(
            warp,
            np.vstack(
                [
                    tube(
                        (12, -38, 432, 14), (17, -26, 455, 14), (18, -10, 464, 13), (30, 8, 464, 11), (42, 16, 452, 8)
                    ),
                    tube((17, -12, 461, 12), (-4, -8, 457, 11), (-30, 2, 452, 9.5), (-42, 8, 446, 7.5)),
                ]
            ),
        )
        self.airways = Tubes(
            warp,
            np.vstack(
                [
                    tube((0, 2, 640, 8.5), (0, 8, 560, 8.5), (0, 18, 510, 8.5), (*CARINA, 8.5)),
                    tube(
                        (*CARINA, 7.5),
                        (-18, 22, 456, 7),
                        (-36, 16, 446, 5.5),
                        (-50, 24, 430, 3.5),
                        (-62, 36, 405, 2.2),
                    ),
                    tube((*CARINA, 7), (20, 24, 452, 6.2), (40, 20, 443, 5), (54, 30, 428, 3.2), (66, 42, 400, 2)),
                    chain((-34, 16, 448, 4.5), (-50, 4, 470, 2.6), (-62, -8, 490, 1.8)),
                    chain((42, 18, 444, 4.2), (54, -4, 456, 2.4), (62, -22, 470, 1.7)),
                    chain((-48, 20, 434, 3), (-62, -8, 420, 1.9)),
                ]
            ),
        )
        self.oesophagus = Tubes(
            warp,
            tube(
                (4, 22, 620, 7),
                (6, 32, 540, 7),
                (5, 40, 480, 7),
                (6, 40, 430, 7.5),
                (10, 32, 390, 8),
                (20, 14, 366, 8),
                (36, 4, 352, 9),
            ),
        )
        self.vessels = Tubes(warp, np.vstack([self._tree(side, warp) for side in (-1, 1)]))
        self.thyroid = [self._fixed((side * 19, -2, 578), (9, 13, 22)) for side in (-1, 1)]
        full = build.fat * (0.85 if build.sex == "F" else 0.12)
        self.breasts = [
            (Ellipsoid((side * 82.0, -66.0, 418.0), (70.0, 44 + 9 * full, 60.0), side * 26), full) for side in (-1, 1)
        ]

    def _ellipsoid(
        self, centre: tuple[float, float, float], radii: tuple[float, float, float], turn: float
    ) -> Ellipsoid:
        x, y, z = (float(value) for value in self.heart_at + centre)
        return Ellipsoid((x, y, z), radii, turn)

    @staticmethod
    def _fixed(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Ellipsoid:
        return Ellipsoid(centre, radii)

    def _tree(self, side: int, warp: Warp) -> NDArray[np.float64]:
        """Pulmonary vessels of one lung (-1: right)."""
        random = self.build.rng("lung vessels", side)
        points = random.uniform((8, -95, 290), (140, 105, 565), size=(9000, 3)) * (side, 1, 1)
        x, y, z = (points[:, axis, None].astype(np.float32) for axis in range(3))
        inside, _ = cavity(self.build, x, y, z)
        depth = self.lung_distance(x, y, z, inside)[:, 0]
        targets = points[depth < -3][:1300]
        hilum = np.array([[side * 34.0, 8.0, 450.0], [side * 42.0, 14.0, 440.0]])
        return grow(hilum, targets, thinnest=0.62, power=0.4)

    def diaphragm(self, x: Array, y: Array) -> Array:
        """Height of the diaphragm over a place, mm; x, y in the warped body frame."""
        right = self._dome(x + 66, y + 16, 0)
        left = self._dome(x - 72, y + 8, 1)
        return np.maximum(right, left)

    def _dome(self, dx: Array, dy: Array, side: int) -> Array:
        reach = np.square(dx / np.float32(78)) + np.square(np.maximum(dy / np.float32(100), -dy / np.float32(92)))
        return np.float32(self.dome[side]) - np.float32(72) * reach - np.float32(16) * reach * reach

    def mediastinum(self, x: Array, y: Array, z: Array) -> Array:
        """Distance from what lies between the lungs, mm, negative inside."""
        back = spine_y(z).astype(np.float32)
        spine = np.sqrt(np.square(x / 24) + np.square((y - back - 16) / 33)) - 1
        wide = np.interp(z, [330, 380, 430, 460, 490, 520, 560], [20, 24, 30, 33, 31, 31, 27]).astype(np.float32)
        deep = np.interp(z, [330, 380, 430, 460, 490, 520, 560], [30, 30, 36, 42, 42, 44, 46]).astype(np.float32)
        middle = np.sqrt(np.square((x - 3) / wide) + np.square((y - 10) / deep)) - 1
        # In front both lungs all but touch: fat widens from there to the sternum and to the great vessels.
        waist = np.where(y < -62, (y + 62) / np.float32(22), (y + 62) / np.float32(30))
        half = np.float32(self.fat) * (3 + 13 * np.minimum(waist * waist, 1.4))
        lean = 2 + np.float32(0.12) * (y + 62)
        front = np.maximum(np.abs(x - lean) - half, np.maximum(-100 - y, y)).astype(np.float32)
        heart = self.heart.grown(5)
        (cx, cy, cz), (a, b, c) = heart.centre, heart.radii
        angle = np.deg2rad(heart.turn)
        dx, dy = x - np.float32(cx), y - np.float32(cy)
        u = dx * np.float32(np.cos(angle) / a) + dy * np.float32(np.sin(angle) / a)
        v = dy * np.float32(np.cos(angle) / b) - dx * np.float32(np.sin(angle) / b)
        w = (z - np.float32(cz)) / np.float32(c)
        core = np.sqrt(u * u + v * v + np.maximum(w, -0.4) ** 2) - 1
        return np.minimum(np.minimum(spine * 26, middle * 34), np.minimum(front, core * 50))

    @staticmethod
    def above_apex(x: Array, y: Array, z: Array) -> Array:
        """Distance from the domes that the lungs end in under the first ribs, mm, negative below them."""
        off = np.sqrt(np.square(np.abs(x) - 43) + np.square(y - 27) + 64)
        return np.asarray(np.float32(0.9) * (z - 571 + np.float32(0.5) * off), dtype=np.float32)

    def lung_distance(self, x: Array, y: Array, z: Array, inside: Array) -> Array:
        """Distance from the lungs' surface, negative inside them, mm; `inside` as of `body.cavity`."""
        ends = np.maximum(self.diaphragm(x, y) - z, self.above_apex(x, y, z))
        return np.maximum(np.maximum(inside + 1.5, np.float32(2) - self.mediastinum(x, y, z)), ends)

    def paint(self, canvas: Canvas, phase: str, depths: Depths) -> None:
        """Paint what lies between the lungs, and the breasts."""
        self._breasts(canvas, depths)
        self._middle(canvas, phase)

    def lungs(self, canvas: Canvas, depths: Depths) -> None:
        """Paint lungs and diaphragm over fat; what lies below is left to the abdomen."""
        window = canvas.window((-145, -100, 285), (145, 110, 570))
        if window is None:
            return
        x, y, z = canvas.BX[window], canvas.BY[window], cut(canvas.z, window)
        inside = depths.inside[window]
        below = self.diaphragm(x, y) - z
        wall = np.maximum(inside + np.float32(1.5), 2 - self.mediastinum(x, y, z))
        edge = np.float32(canvas.pixel)
        steep = np.float32(canvas.pixel + canvas.slab)
        muscle = soft(wall, edge) * soft(below - 3, steep)
        cover = soft(wall, edge + np.float32(0.3)) * soft(below, steep)
        if float(z.max()) > 500:
            apex = self.above_apex(x, y, z)
            muscle *= soft(apex - 2, steep)
            cover *= soft(apex, steep)
        if not muscle.any():
            return
        canvas.paint(window, muscle, np.float32(50))
        age = self.build.age
        air = np.float32(-875 - 0.4 * max(0, age - 50)) + np.float32(0.42) * np.clip(y, -80, 100)
        air = air + 14 * canvas.noise(window, 30.0, 31) + 16 * canvas.noise(window, 7.0, 32)
        canvas.paint(window, cover, air)
        self.vessels.paint(canvas, 20)

    def _middle(self, canvas: Canvas, phase: str) -> None:
        blood = {name: enhanced(name, phase) for name in ("chamber", "artery", "vein", "pulmonary artery")}
        window = self.heart.window(canvas)
        if window is not None:
            canvas.paint(window, self.heart.grown(3.5).cover(canvas, window), np.float32(FAT + 12))
            canvas.paint(window, self.heart.cover(canvas, window), np.float32(enhanced("myocardium", phase)))
            for tissue, chamber in self.chambers:
                chamber.paint(canvas, blood[tissue])
        self.lung_arteries.paint(canvas, blood["pulmonary artery"])
        self.veins.paint(canvas, blood["vein"] if phase != "arterial" else 190)
        self.arch_vessels.paint(canvas, blood["artery"] * 0.95)
        self.oesophagus.paint(canvas, 48)
        self.oesophagus.paint(canvas, 5, grow=-4.8)
        self.aorta.paint(canvas, 55, grow=1.3)
        self.aorta.paint(canvas, blood["artery"])
        self.airways.paint(canvas, 25, grow=1.5)
        self.airways.paint(canvas, AIR + 5)
        for lobe in self.thyroid:
            lobe.paint(canvas, enhanced("thyroid", phase))

    def _breasts(self, canvas: Canvas, depths: Depths) -> None:
        for breast, full in self.breasts:
            window = breast.window(canvas) if full > 0.2 else None
            if window is None:
                continue
            front = soft(depths.muscle[window] + 2 - depths.inside[window], canvas.pixel)
            distance, edge = breast.distance(canvas, window)
            canvas.paint(window, soft(distance, edge) * front, np.float32(-98))
            rim = soft(np.abs(distance + 0.8) - 0.8, edge) * front * (depths.inside[window] > depths.outer[window] - 3)
            canvas.paint(window, rim, np.float32(15))
            gland = np.clip(canvas.noise(window, 14.0, 33) * 2 - 0.6, 0, 1) * soft(distance + 14, 10) * front
            canvas.paint(window, gland * np.float32(max(0.0, 0.9 - self.build.age / 110)), np.float32(35))
