"""Solids of the anatomy: ellipsoids, bars whose ends move with height, and trees of tubes.

Each knows its box, so that a slice pays only for what it meets. Borders are as wide as the pixel plus what the slice's
thickness smears at that height: partial volume without supersampling.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.phantom.canvas import Canvas, Warp, Window, cut, soft

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid in the warped body frame, turned about the z axis by `turn` degrees and leaning with z.

    `lean` is the shift of the centre in x and y per mm of z.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    turn: float = 0.0
    lean: tuple[float, float] = (0.0, 0.0)

    def grown(self, by: float) -> "Ellipsoid":
        """The same body with every radius larger by `by` mm."""
        a, b, c = self.radii
        return Ellipsoid(self.centre, (a + by, b + by, c + by), self.turn, self.lean)

    def window(self, canvas: Canvas) -> Window | None:
        centre, radii = np.asarray(self.centre, dtype=np.float64), np.asarray(self.radii, dtype=np.float64)
        wide = max(radii[:2]) if self.turn else radii[:2]
        half = np.array([*np.broadcast_to(wide, 2), radii[2]], dtype=np.float64)
        half[:2] += np.abs(self.lean) * radii[2]
        return canvas.window(centre - half, centre + half)

    def distance(self, canvas: Canvas, window: Window) -> tuple[Array, Array | float]:
        """Roughly the distance from the surface in mm (negative inside) and the width of its soft border."""
        (cx, cy, cz), (a, b, c) = self.centre, self.radii
        dz = cut(canvas.z, window) - np.float32(cz)
        dx = canvas.X[window] - (np.float32(cx) + np.float32(self.lean[0]) * dz)
        dy = canvas.Y[window] - (np.float32(cy) + np.float32(self.lean[1]) * dz)
        if self.turn:
            angle = np.deg2rad(self.turn)
            cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
            dx, dy = dx * cos + dy * sin, dy * cos - dx * sin
        dx *= np.float32(1 / a)
        dy *= np.float32(1 / b)
        w = dz * np.float32(1 / c)
        np.square(dx, out=dx)
        np.square(dy, out=dy)
        dx += dy
        dx += w * w
        mean = np.float32((a + b) / 4)
        dx -= 1
        dx *= mean
        slope = np.minimum(np.abs(w), 1) * np.float32((a + b) / 2 / c)
        return dx, canvas.pixel + canvas.slab * slope

    def cover(self, canvas: Canvas, window: Window) -> Array:
        """Coverage 0..1 over a window."""
        distance, edge = self.distance(canvas, window)
        return soft(distance, edge)

    def paint(self, canvas: Canvas, hu: Array | float) -> Window | None:
        """Fill with HU (a number, or an array over the window)."""
        window = self.window(canvas)
        if window is not None:
            canvas.paint(window, self.cover(canvas, window), hu)
        return window


def bar_distance(
    canvas: Canvas, window: Window, start: Sequence[Array], end: Sequence[Array], bulge: Array | float = 0.0
) -> Array:
    """Distance in x and y from a segment whose ends (x, y) may depend on z; `bulge` mm bend its middle sideways."""
    x, y = canvas.BX[window], canvas.BY[window]
    ax, ay = start
    dx, dy = end[0] - ax, end[1] - ay
    length = dx * dx + dy * dy + np.float32(1e-6)
    px, py = x - ax, y - ay
    along = px * (dx / length)
    along += py * (dy / length)
    np.clip(along, 0, 1, out=along)
    px -= along * dx
    py -= along * dy
    if np.any(bulge):
        bend = along * (1 - along)
        bend *= 4 * np.asarray(bulge, dtype=np.float32)
        norm = np.sqrt(length)
        px -= bend * (dy / norm)
        py += bend * (dx / norm)
    np.square(px, out=px)
    np.square(py, out=py)
    px += py
    return np.sqrt(px, out=px)


class Tubes:
    """Many straight tapering tubes, drawn unwarped with ends that were moved by the inverse warp beforehand."""

    def __init__(self, warp: Warp, segments: ArrayLike) -> None:
        """`segments`: (N, 8): start x, y, z, end x, y, z, radius at the start, radius at the end; body frame, mm."""
        data = np.asarray(segments, dtype=np.float64).reshape(-1, 8)
        self.start = warp.undo(data[:, 0:3]) if len(data) else data[:, 0:3]
        self.end = warp.undo(data[:, 3:6]) if len(data) else data[:, 3:6]
        self.radii = data[:, 6:8]
        wide = self.radii.max(axis=1, initial=0.0)[:, None]
        self.low = np.minimum(self.start, self.end) - wide
        self.high = np.maximum(self.start, self.end) + wide

    def met(self, canvas: Canvas, grow: float = 0.0) -> list[tuple[int, Window]]:
        """The segments that a slice meets, each with its window."""
        if not len(self.start):
            return []
        box = canvas.boxes(self.low - grow, self.high + grow)
        reach = canvas.plane.thickness / 2
        rows, columns = canvas.plane.rows, canvas.plane.columns
        c0 = np.maximum(box[:, 0, 0].astype(int) - 1, 0)
        c1 = np.minimum(box[:, 0, 1].astype(int) + 3, columns)
        r0 = np.maximum(box[:, 1, 0].astype(int) - 1, 0)
        r1 = np.minimum(box[:, 1, 1].astype(int) + 3, rows)
        hit = (box[:, 2, 0] <= reach) & (box[:, 2, 1] >= -reach) & (c1 > c0) & (r1 > r0)
        return [(int(i), (slice(int(r0[i]), int(r1[i])), slice(int(c0[i]), int(c1[i])))) for i in np.flatnonzero(hit)]

    def distance(self, canvas: Canvas, number: int, window: Window) -> Array:
        """Distance from the wall of one tube in mm (negative inside); a thick slice lets it fade along z."""
        x, y, z = canvas.plain(window)
        (ax, ay, az), step = self.start[number].astype(np.float32), (self.end - self.start)[number].astype(np.float32)
        px, py, pz = x - ax, y - ay, z - az
        length = float(step @ step) + 1e-6
        along = (
            px * np.float32(step[0] / length) + py * np.float32(step[1] / length) + pz * np.float32(step[2] / length)
        )
        np.clip(along, 0, 1, out=along)
        first, last = self.radii[number]
        radius = np.float32(first) + along * np.float32(last - first)
        square = (px - along * step[0]) ** 2 + (py - along * step[1]) ** 2 + (pz - along * step[2]) ** 2
        return np.asarray(np.sqrt(square) - radius)

    def paint(self, canvas: Canvas, hu: float, grow: float = 0.0) -> None:
        """Fill every tube that the slice meets; `grow` mm makes them thicker, for walls and halos."""
        for number, window in self.met(canvas, grow):
            thin = float(self.radii[number].min()) * 2 + grow
            edge = canvas.pixel + 0.35 * min(canvas.slab, 2 * thin)
            canvas.paint(window, soft(self.distance(canvas, number, window) - grow, edge), hu)
