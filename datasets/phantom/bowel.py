"""Stomach, small bowel, colon and the mesentery between them; gas rises, fluid and oral contrast settle."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.phantom import hips
from datasets.phantom.body import FAT, Depths
from datasets.phantom.build import Build, enhanced
from datasets.phantom.canvas import Canvas, Warp, Window, soft
from datasets.phantom.shapes import Ellipsoid, Tubes
from datasets.phantom.trees import chain, grow, smooth_path

Array = NDArray[np.floating[Any]]
Points = NDArray[np.float64]

GAS = -985.0


class Bowel:
    """Everything between oesophagus and rectum of one patient."""

    def __init__(self, build: Build, warp: Warp) -> None:
        self.build = build
        random = build.rng("bowel")
        self.oral = float(random.choice([0.0, 180.0, 260.0, 380.0], p=[0.35, 0.2, 0.25, 0.2]))
        full = float(random.uniform(0.7, 1.12))
        self.stomach = [
            Ellipsoid((60.0, -2.0, 352.0), (36 * full, 38 * full, 34.0), 20),
            Ellipsoid((62.0, -30.0, 316.0), (29 * full, 30 * full, 44.0), 10, (0.15, 0.15)),
            Ellipsoid((38.0, -50.0, 278.0), (36.0, 22 * full, 24 * full), -15),
            Ellipsoid((-2.0, -44.0, 268.0), (30.0, 17 * full, 18 * full), 15),
        ]
        self.level = float(random.uniform(-46, -22))
        """Height (y) of the surface of the stomach's fluid; gas lies in front of it."""
        loops, hues = _small_bowel(build, random, self.oral)
        self.small = Tubes(warp, loops)
        self.small_hues = hues
        path = _colon_path(build, random)
        self.colon = Tubes(warp, chain(*(tuple(point) for point in path)))
        self.stool = random.uniform(0, 1, len(path))
        centres = (self.small.start + self.small.end) / 2
        self.mesentery = Tubes(
            warp,
            grow(
                np.array([[4.0, -14, 262], [5, -20, 235], [2, -16, 205]]),
                centres[random.permutation(len(centres))[:260]],
                0.95,
                0.34,
            ),
        )

    def paint(self, canvas: Canvas, phase: str, depths: Depths) -> None:
        """Paint the bowel over fat; it stays inside the cavity."""
        wall = enhanced("bowel wall", phase)
        self._fat(canvas, depths)
        self.mesentery.paint(canvas, 0.55 * enhanced("vein", phase) + 0.2 * enhanced("artery", phase))
        self._small(canvas, wall, depths)
        self._colon(canvas, wall, depths)
        self._stomach(canvas, wall, depths)

    def _fat(self, canvas: Canvas, depths: Depths) -> None:
        """Strands in the fat of the omentum and the mesentery."""
        window = canvas.window((-130, -100, 60), (130, 40, 300))
        if window is None:
            return
        strands = np.clip(1 - np.abs(canvas.noise(window, 21.0, 51)) * 8, 0, 1)
        strands *= soft(depths.inside[window] + 6, 3.0) * (np.abs(canvas.hu[window] - FAT) < 25)
        canvas.paint(window, strands * np.float32(0.34), np.float32(30))

    def _small(self, canvas: Canvas, wall: float, depths: Depths) -> None:
        met = self.small.met(canvas, 1.0)
        distances = [
            (number, window, self._within(canvas, window, self.small.distance(canvas, number, window), depths))
            for number, window in met
        ]
        edge = np.float32(canvas.pixel + 0.25 * canvas.slab)
        for _, window, distance in distances:
            canvas.paint(window, soft(distance, edge), np.float32(wall))
        for number, window, distance in distances:
            folds = 1.6 + 1.1 * np.clip(canvas.noise(window, 8.0, 52), -1, 1)
            lumen = soft(distance + folds, edge)
            hue, gas = self.small_hues[number]
            canvas.paint(window, lumen, np.float32(hue))
            if gas > -20:
                _, y, _ = canvas.plain(window)
                level = np.float32((self.small.start[number, 1] + self.small.end[number, 1]) / 2 - gas)
                canvas.paint(window, lumen * soft(y - level, edge), np.float32(GAS))

    def _colon(self, canvas: Canvas, wall: float, depths: Depths) -> None:
        met = self.colon.met(canvas, 1.0)
        edge = np.float32(canvas.pixel + 0.25 * canvas.slab)
        distances = [
            (number, window, self._within(canvas, window, self.colon.distance(canvas, number, window), depths))
            for number, window in met
        ]
        for _, window, distance in distances:
            canvas.paint(window, soft(distance - 2.5, edge), np.float32(FAT + 5))
        for _, window, distance in distances:
            canvas.paint(window, soft(distance, edge), np.float32(wall))
        for number, window, distance in distances:
            lumen = soft(distance + 2.0, edge)
            mottle = canvas.noise(window, 7.0, 53)
            share = self.stool[number]
            hu = 25 + 45 * mottle + np.float32(self.oral * 0.6 * (share > 0.6))
            hu = np.where(mottle > np.float32(1.1 - 1.3 * share), np.float32(-650), hu)
            canvas.paint(window, lumen, hu)
            _, y, _ = canvas.plain(window)
            level = np.float32((self.colon.start[number, 1] + self.colon.end[number, 1]) / 2 + 16 * (0.45 - share))
            canvas.paint(window, lumen * soft(y - level - 2 * mottle, edge), np.float32(GAS))

    def _within(self, canvas: Canvas, window: Window, distance: Array, depths: Depths) -> Array:
        """A distance cut off at the wall and, further down, at the muscle that lines the iliac wing."""
        distance = np.maximum(distance, depths.inside[window] + 4)
        beside = hips.beside_wing(canvas, window, self.build)
        return distance if beside is None else np.maximum(distance, beside)

    def _stomach(self, canvas: Canvas, wall: float, depths: Depths) -> None:
        window = canvas.window((-45, -90, 240), (110, 50, 395))
        if window is None:
            return
        distance = np.minimum.reduce([part.distance(canvas, window)[0] for part in self.stomach])
        distance = np.maximum(distance, depths.inside[window] + 5)
        border = np.float32(canvas.pixel + 0.4 * canvas.slab)
        canvas.paint(window, soft(distance - 3.5, border), np.float32(FAT + 6))
        canvas.paint(window, soft(distance, border), np.float32(wall))
        folds = 3.2 + 1.6 * np.clip(canvas.noise(window, 12.0, 54), -1.2, 1.2)
        lumen = soft(distance + folds, border)
        content = np.float32(self.oral or 14.0) + 10 * canvas.noise(window, 10.0, 55) * (1 + self.oral / 90)
        canvas.paint(window, lumen, content)
        canvas.paint(window, lumen * soft(canvas.Y[window] - np.float32(self.level), border), np.float32(GAS))


def _small_bowel(build: Build, random: np.random.Generator, oral: float) -> tuple[Points, Points]:
    """Loops that fill the middle of the abdomen without overlapping; segments and per segment HU and gas level."""
    spacing = 20.5 + 6.0 * (build.visceral - 0.9)
    axes = [np.arange(low, high, spacing) for low, high in ((-80, 84), (-74, 12), (60, 284))]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    points += random.uniform(-6, 6, points.shape)
    room = np.square(points[:, 0] / 92) + np.square((points[:, 1] + 30) / 54) < 1.2
    behind = (np.abs(points[:, 0]) < 26) & (points[:, 1] > -2)
    below_bladder = (points[:, 2] < 85) & (points[:, 1] < -5)
    high = (points[:, 2] > 246) & (points[:, 0] < 14)
    points = points[room & ~behind & ~below_bladder & ~high]
    left = list(range(len(points)))
    current = left.pop(int(np.argmax(points[:, 2] + points[:, 0])))
    segments, hues = [], []
    hue, gas = 18.0, -30.0
    while left:
        reach = np.linalg.norm((points[left] - points[current]) * (1, 1, 1.25), axis=1)
        following = left.pop(int(np.argmin(reach)))
        if random.random() < 0.18:
            hue = (
                float(oral + random.normal(0, 40)) if oral and random.random() < 0.65 else float(random.normal(18, 7))
            )
            gas = float(random.uniform(-6, 6)) if random.random() < 0.22 else -30.0
        gap = points[following] - points[current]
        if np.linalg.norm(gap) < 2.2 * spacing:
            radius = random.uniform(8.5, 12.0)
            middle = (points[following] + points[current]) / 2 + random.normal(0, 3.5, 3)
            for start, end in ((points[current], middle), (middle, points[following])):
                segments.append([*start, *end, radius, radius * random.uniform(0.85, 1.1)])
                hues.append([hue, gas])
        current = following
    return np.array(segments), np.array(hues)


def _colon_path(build: Build, random: np.random.Generator) -> Points:
    """From the caecum to the anus: x, y, z and a radius with haustra."""
    wide = 16.0 * random.uniform(0.85, 1.25)
    knots = np.array(
        [
            [-68, -22, 92, wide * 1.3],
            [-84, -2, 140, wide * 1.2],
            [-99, 18, 190, wide * 1.1],
            [-98, 10, 228, wide],
            [-82, -38, 234, wide],
            [-50, -66, 222, wide],
            [-5, -72, 208, wide],
            [45, -68, 226, wide],
            [88, -40, 270, wide],
            [108, 8, 300, wide * 0.95],
            [112, 30, 270, wide * 0.8],
            [110, 34, 200, wide * 0.75],
            [92, 6, 140, wide * 0.75],
            [74, -14, 105, wide * 0.8],
            [46, -16, 88, wide * 0.8],
            [10, 20, 96, wide * 0.8],
            [-12, 48, 92, wide * 0.8],
            [0, 66, 72, wide * 0.95],
            [0, 62, 42, wide],
            [0, 54, 14, wide * 0.85],
            [0, 46, -20, 9],
        ]
    )
    knots[1:-3, :3] += random.normal(0, 5, (len(knots) - 4, 3))
    knots[:, :2] *= np.where(knots[:, 2] > 70, 0.94 + 0.08 * build.visceral, 1)[:, None]
    path = smooth_path(knots, spacing=9.0)
    path[:, 3] *= 1 + 0.14 * np.sin(np.arange(len(path)) * 1.7 + random.uniform(0, 6))
    return path
