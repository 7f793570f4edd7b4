"""The body wall: skin, subcutaneous fat, layered muscle, and the cavity inside them.

Everything is said as a depth: how far a pixel lies outside the inner wall of the trunk, measured along the ray from
the midline. Fat and muscle are layers over that wall whose thickness depends on height and direction.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.build import Build, enhanced
from datasets.phantom.canvas import Canvas, soft

Array = NDArray[np.floating[Any]]

FAT = -103.0

# Height above the pubic symphysis, then in mm: half width of the cavity, its depth to the front and to the back,
# thickness of muscle and bone at the side, in front, behind, and of fat at the side, in front, behind.
_WALL = np.array(
    [
        # z    a    front back  side  front back  fside ffront fback
        [-160, 55, 45, 40, 60, 20, 70, 16, 14, 18],
        [-60, 55, 50, 45, 75, 25, 72, 20, 18, 24],
        [0, 54, 66, 62, 100, 16, 58, 22, 20, 26],
        [50, 74, 84, 78, 86, 13, 50, 22, 20, 26],
        [100, 114, 90, 78, 40, 11, 46, 20, 21, 24],
        [150, 124, 86, 76, 20, 11, 42, 20, 22, 22],
        [200, 128, 83, 76, 18, 11, 42, 17, 20, 18],
        [250, 132, 83, 80, 16, 11, 40, 14, 17, 15],
        [300, 136, 85, 88, 15, 12, 36, 12, 14, 13],
        [350, 138, 86, 94, 16, 13, 32, 11, 11, 12],
        [400, 137, 82, 97, 18, 14, 31, 11, 10, 12],
        [450, 130, 77, 98, 27, 17, 34, 12, 9, 12],
        [500, 110, 66, 92, 52, 24, 40, 11, 9, 13],
        [530, 88, 52, 78, 86, 28, 46, 10, 9, 14],
        [555, 58, 40, 58, 116, 30, 52, 9, 8, 14],
        [580, 40, 36, 42, 62, 24, 50, 8, 7, 12],
        [640, 36, 36, 36, 22, 20, 42, 7, 6, 10],
    ],
    dtype=np.float64,
)


@dataclass
class Depths:
    """What the painting of the inside needs to know of the wall, for one canvas.

    Attributes
    ----------
    inside : mm outside the inner wall, negative in the cavity; (rows, columns).
    side, back, front : how much a pixel's direction points sideways, back, front; squares that add up to 1.
    muscle : thickness of the muscle layer there, mm.
    outer : thickness of muscle, fat and skin together there, mm.
    """

    inside: Array
    side: Array
    front: Array
    back: Array
    muscle: Array
    outer: Array


def cavity(build: Build, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
    """Distance along the ray from the midline to the inner wall of the trunk (negative inside), and the ray's length.

    `x`, `y` and `z` are coordinates in the coarsely warped body frame that broadcast together, mm.
    """
    a, front, back = (np.interp(z, _WALL[:, 0], column).astype(np.float32) for column in _WALL[:, 1:4].T)
    belly = np.interp(z, [60, 140, 240, 340], [0, 1, 1, 0]).astype(np.float32)
    front = front * (1 + belly * np.float32(0.3 * (build.visceral - 0.95)))
    a = a * (1 + belly * np.float32(0.1 * (build.visceral - 0.95)))
    r = np.sqrt(x * x + y * y + 1)
    u = np.square(x / a)
    v = np.square(np.maximum(y / back, -y / front))
    corner = np.float32(0.24) * np.minimum(u, 1.6) * np.minimum(v, 1.6)
    q = np.sqrt(np.maximum(u + v - corner, np.float32(1e-4)))
    return r - r / q, r


def measure(canvas: Canvas, build: Build) -> Depths:
    """Compute the depths of every pixel of a canvas."""
    z = canvas.z
    x, y = canvas.BX, canvas.BY
    m_side, m_front, m_back, f_side, f_front, f_back = (
        np.interp(z, _WALL[:, 0], column).astype(np.float32) for column in _WALL[:, 4:].T
    )
    inside, r = cavity(build, x, y, z)
    xx = x * x
    side = xx / (r * r)
    rest = 1 - side
    back_share = np.where(y > 0, rest, 0)
    front_share = rest - back_share
    if float(z.max()) > 490:  # the chest falls away in front of the shoulders
        hollow = np.interp(z, [490, 535], [0, 1]).astype(np.float32) * front_share * (1 - front_share)
        hollow *= 1 + side
        side, front_share = side - hollow, front_share + hollow
    m = np.float32(build.muscle)
    muscle = m * (m_side * side + m_front * front_share + m_back * back_share)
    groove = np.exp(-xx * np.float32(1 / 260)) * back_share * np.interp(z, [-20, 90, 480, 560], [0, 1, 1, 0])
    muscle *= 1 - np.float32(0.2) * groove.astype(np.float32)
    f = np.float32(build.fat)
    outer = muscle + f * (f_side * side + f_front * front_share + f_back * back_share) + np.float32(2.0)
    low = float(z.min())
    if low < -20:
        inside = _legs(canvas, inside, muscle, z)
    return Depths(inside, side, front_share, back_share, muscle, outer)


def _legs(canvas: Canvas, inside: Array, muscle: Array, z: Array) -> Array:
    """Below the crotch the trunk becomes two thighs."""
    dx = np.abs(canvas.BX) - 86
    dy = canvas.BY - 4
    r = np.sqrt(dx * dx + dy * dy + 1)
    thigh = r - np.float32(68) + muscle
    share = np.clip((-20 - z) / 45, 0, 1).astype(np.float32)
    return np.asarray(inside * (1 - share) + thigh * share, dtype=np.float32)


def paint(canvas: Canvas, build: Build, phase: str, depths: Depths, share: Array) -> None:
    """Paint skin, fat and muscle; the cavity is left as fat. `share` (0..1) of the muscle layer is drawn."""
    hu = canvas.hu
    everything = (slice(None), slice(None))
    edge = np.float32(canvas.pixel + 0.1 * canvas.slab)
    outside = depths.inside - depths.outer
    cover = soft(outside, edge)
    speckle = canvas.noise(everything, 9.0, 11)
    fat = np.float32(FAT) + 5 * speckle
    septa = canvas.noise(everything, 17.0, 12)
    strands = np.clip(1 - np.abs(septa) * 9, 0, 1)
    fat += strands * np.float32(30) * (depths.inside > 0)
    skin = soft(np.float32(-2.2) - outside, edge)
    fat += skin * (np.float32(-5) - fat)
    muscle = depths.inside - depths.muscle
    flesh = soft(muscle, edge) * soft(-depths.inside, edge) * share
    texture = np.float32(enhanced("muscle", phase)) + 5 * speckle
    relative = depths.inside / (depths.muscle + np.float32(0.1))
    thick = np.minimum(depths.muscle * np.float32(1 / 45), 1)
    relative += np.float32(0.3) * thick * canvas.noise(everything, 95.0, 13)
    lines = np.minimum(np.abs(relative - np.float32(0.34)), np.abs(relative - np.float32(0.72)))
    lines *= depths.muscle
    lines += np.float32(20) * np.maximum(depths.front - np.float32(0.8), 0)  # the rectus is one layer
    plane_width = np.float32(0.35 + 0.35 * build.fat) * np.clip(
        0.7 + 1.6 * canvas.noise(everything, 60.0, 14), -1, 2.2
    )
    gaps = soft(lines - plane_width, edge)
    ageing = np.float32(0.35 + max(0, build.age - 35) / 140)
    marbling = np.clip((np.abs(canvas.noise(everything, 14.0, 15)) * -7 + ageing) * thick, 0, 0.45)
    seams = np.clip(1.15 - np.abs(canvas.noise(everything, 85.0, 16)) * np.float32(26 / build.fat), 0, 1) * (
        depths.muscle > 34
    )
    gaps = np.maximum(gaps, seams)
    texture += np.maximum(gaps * np.float32(0.8), marbling) * (np.float32(FAT) - texture)
    fat += flesh * (texture - fat)
    hu += cover * (fat - hu)


def outline_box(
    build: Build, low: float, high: float
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """A box of the body frame that holds the skin between two heights, table excluded."""
    widest = 200 + 45 * build.fat + 30
    return (-widest, -165 - 45 * build.fat, low), (widest, 175 + 45 * build.fat, high)


def extent(build: Build, z: float) -> tuple[float, float, float]:
    """How far the skin lies from the midline at a height: half width, to the front, to the back; body frame, mm."""
    a, front, back, m_side, m_front, m_back, f_side, f_front, f_back = (
        float(np.interp(z, _WALL[:, 0], column)) for column in _WALL[:, 1:].T
    )
    return (
        a + build.muscle * m_side + build.fat * f_side + 2,
        front + build.muscle * m_front + build.fat * f_front + 2,
        back + build.muscle * m_back + build.fat * f_back + 2,
    )
