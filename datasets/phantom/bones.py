"""Spine, ribs and sternum, and how bone is painted: a dense shell around spongy marrow."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.body import Depths
from datasets.phantom.build import Build
from datasets.phantom.canvas import Canvas, Window, cut, soft
from datasets.phantom.shapes import bar_distance

Array = NDArray[np.floating[Any]]

DISCS = np.array(
    [
        -60,
        -20,
        20,
        60,
        92,
        116,
        149.5,
        184.5,
        219,
        252.5,
        284.5,
        314.5,
        343,
        370,
        395.5,
        420,
        443.5,
        466,
        487.5,
        508,
        527.5,
        546,
        563,
        579,
        594.5,
        610,
        625,
        640,
    ]
)
"""Heights of the discs from the coccyx up: ..., L5/S1 at 116, L4/L5 at 149.5, ..., T12/L1 at 284.5, C7/T1 at 563."""
L5 = 5
"""Index of the disc under L5."""
_Z = np.array([20.0, 60, 95, 120, 150, 200, 260, 320, 380, 450, 500, 540, 570, 640])
_CENTRE_Y = np.array([96.0, 98, 80, 58, 47, 44, 50, 60, 68, 72, 68, 58, 46, 30])
_HALF_WIDTH = np.array([12.0, 20, 25, 27, 27, 26, 24, 21, 19, 17, 16, 16, 15, 13])
_HALF_DEPTH = np.array([6.0, 10, 14, 17, 17.5, 17, 17, 16.5, 16, 14.5, 13, 12, 10, 9])
_HEADS = np.array([546, 527.5, 508, 487.5, 466, 443.5, 420, 395.5, 370, 343, 318, 292.0])
"""Height at which ribs 1 to 12 leave the spine."""
_RIBS_EVEN = np.float32(430)
"""Ribs that leave the spine below this height fall alike, mm."""
_REACH = np.array([3.2, 3.2, 3.2, 3.2, 3.2, 3.2, 3.2, 2.75, 2.55, 2.35, 1.75, 1.25])
"""How far around the trunk (radians from the back) each rib runs."""


def spine_y(z: Array | float) -> NDArray[np.float64]:
    """Where the middle of the vertebral bodies lies, y in the body frame."""
    return np.interp(z, _Z, _CENTRE_Y)


def paint(canvas: Canvas, build: Build, depths: Depths) -> None:
    """Paint the bones of the trunk that the slice meets."""
    _ribs(canvas, build, depths)
    _spine(canvas, build)
    _sternum(canvas, build)


def density(build: Build) -> float:
    """HU of marrow, which falls with age (about 2.2 HU a year after 25)."""
    return float(np.clip(245 - 2.2 * max(0, build.age - 25), 85, 250) + build.jitter("marrow", 18)[0])


def bone(
    canvas: Canvas,
    window: Window,
    distance: Array,
    marrow: Array | float,
    cortex: Array | float = 1.7,
    dense: float = 680,
    ends: Array | None = None,
) -> None:
    """Paint a bone with its surface at distance 0 (mm, negative inside); `ends`: how far beyond its ends z is."""
    edge = np.float32(canvas.pixel + 0.12 * canvas.slab)
    cover = soft(distance, edge)
    if ends is not None:
        cover *= soft(ends, np.float32(canvas.slab + 1.5))
    if not cover.any():
        return
    core = soft(distance + np.asarray(cortex, dtype=np.float32), np.float32(edge + 0.6))
    trabeculae = np.asarray(marrow, dtype=np.float32) * (1 + np.float32(0.22) * canvas.noise(window, 5.5, 21))
    canvas.paint(window, cover, np.float32(dense) + core * (trabeculae - np.float32(dense)))


def bars(
    canvas: Canvas, low: float, high: float, table: NDArray[np.float64], marrow: float, bulge: float = 0.0
) -> None:
    """Paint a bone and its mirror image; `table` has rows of z, start x, y, end x, y, radius."""
    x_low, x_high = table[:, [1, 3]].min() - 18, table[:, [1, 3]].max() + 18
    y_low, y_high = table[:, [2, 4]].min() - 18, table[:, [2, 4]].max() + 18
    for mirror in (1, -1):
        left, right = sorted((mirror * x_low, mirror * x_high))
        window = canvas.window((left, y_low, low), (right, y_high, high))
        if window is None:
            continue
        z = cut(canvas.z, window)
        ax, ay, bx, by, radius = (np.interp(z, table[:, 0], column).astype(np.float32) for column in table[:, 1:].T)
        distance = bar_distance(canvas, window, (mirror * ax, ay), (mirror * bx, by), mirror * bulge) - radius
        ends = np.maximum(low - z, z - high).astype(np.float32)
        bone(canvas, window, distance, marrow, ends=ends)


def above_ribs(x: Array, y: Array, z: Array) -> Array:
    """How far a place of the chest wall lies above the first rib, mm along z; body frame."""
    return np.asarray(_origin(x, y, z)[1] - np.float32(_HEADS[0]), dtype=np.float32)


def _origin(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """The course of the ribs at a place of the chest wall.

    A rib falls by 138 mm from the back to the front; the upper ones fall less, the first by 45 mm.

    Returns
    -------
    The way around the trunk (radians from the back), the height (mm) at which a rib through this place leaves the
    spine, and how much farther than there ribs lie from each other along z.
    """
    around = np.arctan2(np.abs(x), y - 20)
    share = np.sin(around * np.float32(0.5)) ** 2
    low = z + 138 * share
    apart = np.where(low < _RIBS_EVEN, 1, 1 + np.float32(0.8) * share)
    high = _RIBS_EVEN + (low - _RIBS_EVEN) / apart
    return around, high, apart


def _ribs(canvas: Canvas, build: Build, depths: Depths) -> None:
    z_low, z_high = float(canvas.z.min()), float(canvas.z.max())
    if z_high < 200 or z_low > 570:
        return
    band = np.flatnonzero(np.abs(depths.inside - 6) < 8)
    if not len(band):
        return
    x, y = canvas.BX.ravel()[band], canvas.BY.ravel()[band]
    z = np.broadcast_to(canvas.z, depths.inside.shape).ravel()[band]
    around, at_spine, steep = _origin(x, y, z)
    order = np.interp(at_spine, _HEADS[::-1], np.arange(12)[::-1], left=12, right=-1)
    rib = np.clip(np.rint(order), 0, 11).astype(int)
    drop = (1 + np.float32(0.8 / 138) * (_RIBS_EVEN - np.maximum(at_spine, _RIBS_EVEN))).astype(np.float32)
    off = (at_spine - _HEADS[rib]) * steep * np.cos(np.minimum(np.abs(np.sin(around)) * 0.75 * drop, 1.2))
    reach = _REACH[rib] + build.jitter("ribs", 0.06)[0]
    radial = depths.inside.ravel()[band] - np.float32(6)
    thick = np.float32(4.6 if build.sex == "M" else 4.2)
    distance = (np.sqrt((radial / thick) ** 2 + (off / 5.0) ** 2) - 1) * 5.2
    distance = np.maximum(distance, (around - reach) * 90)
    edge = canvas.pixel + 0.3 * canvas.slab
    cover = soft(distance, edge)
    near = np.abs(x) < 12
    cover[near] *= 0
    core = soft(distance + np.float32(1.6), edge)
    marrow = np.float32(density(build) * 0.9)
    inner = np.float32(640) + core * (marrow - 640)
    cartilage = np.clip((around - np.float32(2.15) - np.float32(0.3) * (rib < 2)) * 12, 0, 1)
    soft_hu = np.float32(98 + max(0, build.age - 50) * 0.8)
    inner += cartilage * (soft_hu + 25 * (1 - core) - inner)
    flat = canvas.hu.ravel()
    flat[band] += cover * (inner - flat[band])
    canvas.hu = flat.reshape(canvas.hu.shape)


def _spine(canvas: Canvas, build: Build) -> None:
    window = canvas.window((-50, 5, 18), (50, 150, 660))
    if window is None:
        return
    z = cut(canvas.z, window)
    x, y = canvas.BX[window], canvas.BY[window]
    middle, half_width, half_depth = (
        np.interp(z, _Z, column).astype(np.float32) for column in (_CENTRE_Y, _HALF_WIDTH, _HALF_DEPTH)
    )
    level = np.interp(z, DISCS, np.arange(len(DISCS)))
    number = np.floor(level)
    share = (level - number).astype(np.float32)
    height = (
        np.interp(number + 1, np.arange(len(DISCS)), DISCS) - np.interp(number, np.arange(len(DISCS)), DISCS)
    ).astype(np.float32)
    to_disc = np.minimum(share, 1 - share) * height - np.where(z > 116, 4.2, 0.5).astype(np.float32)
    waist = 1 - np.float32(0.1) * np.sin(share * np.float32(np.pi)) ** 2
    u = x / (half_width * waist)
    v = (y - middle) / (half_depth * waist)
    radius = np.sqrt(u * u + v * v + np.float32(0.25) * np.maximum(v, 0) * np.abs(v)) - 1
    distance = radius * (half_width + half_depth) / 2
    edge = np.float32(canvas.pixel)
    body = soft(distance, edge)
    disc = soft(to_disc, np.float32(1.5 + canvas.slab))
    plate = np.exp(-(((to_disc - 1) / np.float32(1.2 + 0.6 * canvas.slab)) ** 2)) * np.float32(
        1.8 / (1.8 + 0.4 * canvas.slab)
    )
    marrow = density(build)
    texture = np.float32(marrow) * (
        1 + np.float32(0.2) * canvas.noise(window, 5.0, 22) + np.float32(0.1) * canvas.noise(window, 16.0, 23)
    )
    cortex = soft(-distance - np.float32(1.7), edge + np.float32(0.5))
    texture += np.maximum(cortex, plate) * (np.float32(560) - texture)
    texture += disc * (np.float32(88) - texture)
    _arches(canvas, build, window, middle, half_width, half_depth, share, marrow)
    canvas.paint(window, body, texture)
    canal_y = middle + half_depth + 8
    cx, cy = x / np.float32(10.5), (y - canal_y) / np.float32(8.0)
    canal = np.sqrt(cx * cx + cy * cy) - 1
    canvas.paint(window, soft(canal * 9, edge), np.float32(-40))
    cord = np.sqrt((x / 7.6) ** 2 + ((y - canal_y + 0.5) / 6.2) ** 2) - 1
    canvas.paint(window, soft(cord * 7, edge), np.float32(28))


def _arches(
    canvas: Canvas,
    build: Build,
    window: Window,
    middle: Array,
    half_width: Array,
    half_depth: Array,
    share: Array,
    marrow: float,
) -> None:
    """Pedicles, laminae, transverse and spinous processes; which of them show depends on the height in the segment."""
    sacral = cut(canvas.z, window) < 116
    if float(cut(canvas.z, window).max()) < 100:
        return
    back = middle + half_depth
    zero = np.zeros_like(middle)
    upper = np.exp(-(((share - 0.62) / 0.22) ** 2))
    lower = np.exp(-(((share - 0.25) / 0.3) ** 2))
    for side in (1, -1):
        root = side * half_width * np.float32(0.62)
        pedicle = bar_distance(canvas, window, (root, back - 3), (root * np.float32(1.02), back + 8))
        bone(canvas, window, pedicle - (6.0 * upper - 3 * (1 - upper)).astype(np.float32), marrow * 1.2)
        facet = bar_distance(canvas, window, (root, back + 11), (root * np.float32(1.15), back + 15))
        bone(canvas, window, facet - np.where(sacral, 3.0, 6.4).astype(np.float32), marrow * 1.3, dense=620)
        lamina = bar_distance(canvas, window, (root * np.float32(0.9), back + 14), (zero, back + 21))
        bone(canvas, window, lamina - (4.4 - 1.2 * upper).astype(np.float32), marrow)
        tip = root * 2.6
        process = bar_distance(canvas, window, (root, back + 9), (tip, back + 14))
        bone(canvas, window, process - (4.4 * upper - 4 * (1 - upper)).astype(np.float32), marrow)
    length = np.interp(cut(canvas.z, window), [60, 116, 150, 300, 480, 560], [6, 14, 25, 25, 25, 32]).astype(
        np.float32
    )
    spinous = bar_distance(canvas, window, (zero, back + 21), (zero, back + 21 + length * lower.astype(np.float32)))
    bone(canvas, window, spinous - (3.4 + 1.4 * lower).astype(np.float32), marrow)


def _sternum(canvas: Canvas, build: Build) -> None:
    window = canvas.window((-40, -135, 382), (40, -50, 522))
    if window is None:
        return
    z = cut(canvas.z, window)
    width = np.interp(z, [382, 395, 430, 480, 488, 500, 518], [3, 9, 17, 14, 17, 27, 24]).astype(np.float32)
    y0 = -np.interp(z, [382, 450, 500, 525], [91, 88, 76, 63]).astype(np.float32) - 3
    half = np.interp(z, [382, 430, 480, 490, 508, 520], [4.0, 5.0, 5.2, 6.0, 7.5, 6.5]).astype(np.float32)
    distance = bar_distance(canvas, window, (-width, y0), (width, y0)) - half
    ends = np.maximum(384 - z, z - 520).astype(np.float32)
    bone(canvas, window, distance, density(build) + 30, cortex=1.6, dense=480, ends=ends)
