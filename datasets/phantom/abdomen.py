"""The organs of the upper abdomen: liver, gall bladder, spleen, pancreas, kidneys and adrenal glands."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.body import FAT, Depths
from datasets.phantom.build import Build, enhanced
from datasets.phantom.canvas import Canvas, Warp, Window, cut, soft
from datasets.phantom.plane import triple
from datasets.phantom.posterior_wall import PosteriorWall
from datasets.phantom.shapes import Ellipsoid, Tubes
from datasets.phantom.thorax import Thorax
from datasets.phantom.trees import chain, smooth_path
from datasets.phantom.vessels import AbdominalVessels

Array = NDArray[np.floating[Any]]


class Abdomen:
    """The organs of one patient between diaphragm and pelvis, bowel left out."""

    def __init__(self, build: Build, warp: Warp, thorax: Thorax) -> None:
        self.build, self.thorax = build, thorax
        x, y, z, size = build.jitter("liver", 4, 4, 6, 0.06)
        grow_by = 1 + size
        self.steatosis = float(max(0.0, build.rng("steatosis").normal(8, 12) + 8 * (build.visceral - 1)))
        self.right_lobe = Ellipsoid((-74 + x, -2 + y, 318 + z), (84 * grow_by, 96, 88 * grow_by), 8, (0.05, 0.0))
        self.left_lobe = Ellipsoid((2 + x, -48 + y, 342 + z), (84 * grow_by, 36 * grow_by, 44), -12, (0.0, -0.15))
        self.behind = Ellipsoid((-18, 62, 290), (50, 46, 90))
        """What lies behind the liver beside the spine: its fat holds the adrenal gland and the kidney's upper pole."""
        self.gall = Ellipsoid((-52 + x, -46 + y, 258 + z), (15, 19, 30), 20, (0.0, -0.2))
        sx, sy, sz, ss = build.jitter("spleen", 4, 5, 8, 0.14)
        self.spleen = Ellipsoid(
            (98 + sx, 34 + sy, 325 + sz), (29 * (1 + ss), 50 * (1 + ss), 50 * (1 + ss)), 28, (-0.12, -0.2)
        )
        self.kidneys = []
        self.fat = (6 + 4 * build.visceral, 7 + 5 * build.visceral, -3.0)
        """How much perirenal fat adds to a kidney's radii, mm."""
        for side, top in ((-1, 256), (1, 268)):
            kx, ky, kz, ks = build.jitter(f"kidney {side}", 4, 4, 8, 0.06)
            centre = (side * (60 + kx), 44 + ky, top + kz)
            self.kidneys.append(
                (
                    side,
                    Ellipsoid(centre, (25 * (1 + ks), 29 * (1 + ks), 54 * (1 + ks)), side * 32, (-side * 0.22, 0.12)),
                )
            )
        self.vessels = AbdominalVessels(build, warp, self.liver_points(build.rng("liver vessels"), 420))
        self.muscles = PosteriorWall(build, warp)
        self.pancreas = Tubes(
            warp,
            _lobulated(
                build,
                (
                    (-32, -6, 250, 15),
                    (-26, -8, 266, 15),
                    (-8, -18, 276, 12),
                    (12, -14, 282, 12),
                    (38, 0, 290, 11),
                    (62, 14, 302, 10),
                    (78, 22, 310, 8),
                ),
            ),
        )
        self.adrenals = Tubes(
            warp,
            np.vstack(
                [
                    segment
                    for side, ax, ay, az in ((-1, 40, 24, 312), (1, 40, 22, 310))
                    for segment in (
                        chain((side * ax, ay, az, 2.8), (side * (ax + 3), ay + 16, az - 10, 2.3)),
                        chain((side * ax, ay, az, 2.8), (side * (ax + 13), ay + 13, az - 12, 2.2)),
                        chain((side * ax, ay, az - 8, 2.8), (side * ax, ay, az, 2.8)),
                    )
                ]
            ),
        )

    def liver_points(self, random: np.random.Generator, count: int) -> NDArray[np.float64]:
        """Up to `count` random points well inside the liver, body frame."""
        found = random.uniform((-135, -85, 240), (50, 80, 392), size=(6000, 3))
        value = np.full(len(found), np.inf)
        for lobe in (self.right_lobe, self.left_lobe):
            relative = (found - lobe.centre) / lobe.radii
            value = np.minimum(value, np.linalg.norm(relative, axis=1))
        radial = np.linalg.norm(found[:, :2] / (118, 84), axis=1)
        below = self.thorax.diaphragm(found[:, 0], found[:, 1]) - found[:, 2]
        behind = np.linalg.norm((found - self.behind.centre) / self.behind.radii, axis=1)
        return found[(value < 0.88) & (radial < 1) & (below > 10) & (behind > 1.15)][:count]

    def liver_distance(self, canvas: Canvas, window: Window, depths: Depths) -> Array:
        """Distance from the liver's surface, negative inside, mm."""
        right, _ = self.right_lobe.distance(canvas, window)
        left, _ = self.left_lobe.distance(canvas, window)
        blend = np.clip(0.5 + (left - right) / 24, 0, 1)
        liver = left + blend * (right - left) - 12 * blend * (1 - blend)
        behind, _ = self.behind.distance(canvas, window)
        return np.maximum(np.maximum(liver, -behind), depths.inside[window] + 4)

    def liver_share(self, canvas: Canvas, depths: Depths) -> float:
        """Share of a canvas that the liver covers."""
        every = slice(0, canvas.hu.shape[0]), slice(0, canvas.hu.shape[1])
        return float(np.mean((self.liver_distance(canvas, every, depths) < 0) & (self._below(canvas) > 0.5)))

    def paint(self, canvas: Canvas, phase: str, depths: Depths) -> None:
        """Paint the organs over fat and below the diaphragm."""
        below = self._below(canvas)
        self._liver(canvas, phase, depths, below)
        self._spleen(canvas, phase, depths, below)
        self._perirenal_fat(canvas, depths)
        self.muscles.paint(canvas, phase)
        self._kidneys(canvas, phase, depths)
        self.adrenals.paint(canvas, 62)
        self.vessels.paint_veins(canvas, phase)
        self.pancreas.paint(canvas, enhanced("pancreas", phase))
        self.vessels.paint_over_pancreas(canvas, phase)

    def _below(self, canvas: Canvas) -> Array:
        """Coverage of what lies below the diaphragm, over the whole canvas."""
        return soft(canvas.z + 4 - self.thorax.diaphragm(canvas.BX, canvas.BY), np.float32(canvas.pixel + canvas.slab))

    def _liver(self, canvas: Canvas, phase: str, depths: Depths, below: Array) -> None:
        window = canvas.window((-175, -110, 218), (100, 110, 405), margin=0)
        if window is None:
            return
        distance = self.liver_distance(canvas, window, depths)
        edge = np.float32(canvas.pixel + 0.35 * canvas.slab)
        clear = soft(distance - 3, edge) * below[window]
        canvas.paint(window, clear, np.float32(FAT + 8))
        hu = np.float32(enhanced("liver", phase) - self.steatosis) + 3 * canvas.noise(window, 18.0, 41)
        cover = soft(distance, edge) * below[window]
        before = canvas.hu[window].copy()
        canvas.paint(window, np.ones_like(cover), hu)
        self.vessels.paint_in_liver(canvas, phase, enhanced("liver", phase) - self.steatosis)
        inner = canvas.hu[window]
        inner -= before
        inner *= cover
        inner += before
        fissure = Ellipsoid((-6, -40, 318), (3.2, 26, 26), 12)
        if (place := fissure.window(canvas)) is not None:
            canvas.paint(place, fissure.cover(canvas, place) * 0.9, np.float32(FAT + 25))
        if (place := self.gall.window(canvas)) is not None:
            canvas.paint(place, self.gall.grown(2).cover(canvas, place), np.float32(55))
            canvas.paint(place, self.gall.cover(canvas, place), np.float32(8))

    def _spleen(self, canvas: Canvas, phase: str, depths: Depths, below: Array) -> None:
        window = self.spleen.window(canvas)
        if window is None:
            return
        distance, edge = self.spleen.distance(canvas, window)
        distance = np.maximum(distance, depths.inside[window] + 4)
        hu = np.float32(enhanced("spleen", phase)) + 3 * canvas.noise(window, 20.0, 42)
        if phase == "arterial":
            hu = hu + 26 * np.sin(4 * canvas.noise(window, 30.0, 43))
        canvas.paint(window, soft(distance - 2.5, edge) * below[window], np.float32(FAT + 8))
        canvas.paint(window, soft(distance, edge) * below[window], hu)

    def _perirenal_fat(self, canvas: Canvas, depths: Depths) -> None:
        """The fat around the kidneys; it stays inside the cavity, and the muscles behind come over it."""
        for side, kidney in self.kidneys:
            x, y, z = kidney.centre
            fat = Ellipsoid(
                (x + side * 4, y + 9, z),
                triple(np.add(kidney.radii, self.fat)),
                kidney.turn,
                kidney.lean,
            )
            if (window := fat.window(canvas)) is None:
                continue
            distance, edge = fat.distance(canvas, window)
            canvas.paint(window, soft(np.maximum(distance, depths.inside[window] + 1), edge), np.float32(FAT))

    def _kidneys(self, canvas: Canvas, phase: str, depths: Depths) -> None:
        cortex, medulla, pelvis = (enhanced(name, phase) for name in ("cortex", "medulla", "renal pelvis"))
        for side, kidney in self.kidneys:
            if (window := kidney.grown(3).window(canvas)) is None:
                continue
            distance, edge = kidney.distance(canvas, window)
            distance = np.maximum(distance, depths.inside[window] + 4)
            canvas.paint(window, soft(distance - 2.5, edge), np.float32(FAT))
            z = cut(canvas.z, window)
            cx, cy, cz = kidney.centre
            dx = (canvas.X[window] - np.float32(cx) - np.float32(kidney.lean[0]) * (z - cz)) * np.float32(side)
            dy = canvas.Y[window] - np.float32(cy) - np.float32(kidney.lean[1]) * (z - cz)
            rise = np.minimum(np.abs(z - np.float32(cz)) / 30, 3).astype(np.float32)
            hilum = np.sqrt(np.square((dx + 17) / 19) + np.square((dy + 10) / 9) + rise * rise) - 1
            pyramids = distance + 7.5 + 2.6 * canvas.noise(window, 15.0, 44)
            inner = soft(pyramids, edge + np.float32(1))
            hu = np.float32(cortex) + inner * np.float32(medulla - cortex)
            canvas.paint(window, soft(distance, edge), hu)
            sinus = hilum * 13 + 2.5 * canvas.noise(window, 13.0, 45)
            canvas.paint(window, soft(sinus, edge) * soft(distance - 3, edge), np.float32(FAT + 20))
            calyces = np.abs(canvas.noise(window, 19.0, 46)) * 9 - 2.6
            canvas.paint(
                window, soft(np.maximum(calyces, sinus + 2), edge), np.float32(pelvis if phase == "delayed" else 20)
            )


def _lobulated(build: Build, points: tuple[tuple[float, float, float, float], ...]) -> NDArray[np.float64]:
    """A tube whose radius wavers, as the pancreas has lobules."""
    path = smooth_path(np.asarray(points), spacing=6)
    random = build.rng("pancreas")
    path[:, 3] *= np.clip(random.normal(1.0 - max(0, build.age - 50) / 160, 0.13, len(path)), 0.5, 1.3)
    path[:, :2] += random.normal(0, 1.6, (len(path), 2))
    return chain(*(tuple(point) for point in path))
