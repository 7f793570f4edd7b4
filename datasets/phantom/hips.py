"""The hips: iliac wings, acetabulum, pubis and ischium, sacrum, and the femora in their sockets.

Each side is one union of rounded pieces that melt into each other, so that no piece's own border shows.
"""

from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.bones import bone, density
from datasets.phantom.build import Build
from datasets.phantom.canvas import Canvas, Window, cut
from datasets.phantom.shapes import bar_distance

Array = NDArray[np.floating[Any]]
Nodes = tuple[tuple[float, float, float, float], ...]

# Rows of height, then of the wing's cross-section: start x, y, end x, y, radius, outward bulge (left side, mm).
_WING = np.array(
    [
        [20, 82, 22, 98, -24, 0, 2],
        [36, 80, 30, 102, -30, 10, 3],
        [48, 75, 45, 110, -38, 7.5, 6],
        [70, 58, 72, 114, -36, 5.5, 8],
        [92, 46, 79, 120, -30, 5.0, 10],
        [130, 52, 73, 122, -12, 4.5, 17],
        [155, 74, 64, 121, 4, 4.0, 12],
        [168, 92, 52, 117, 20, 3.2, 6],
    ]
)
_HEAD, _HEAD_RADIUS, _JOINT = (90.0, 3.0, 6.0), 23.0, 2.5
_SOCKET = ((84.0, 3.0, 14.0), (26.0, 36.0, 32.0))
"""Centre and radii of the acetabulum's outer surface, mm."""
_OPENING = (0.80, -0.20, -0.56)
"""Where the socket opens: to the side, down and a little to the front."""
# Rows of x, y, z, radius along each piece of bone, left side.
_PELVIS: tuple[Nodes, ...] = (
    ((72, 36, 36, 11), (68, 36, 4, 11), (66, 38, -24, 13.5), (62, 36, -44, 14.5), (58, 30, -58, 10)),
    ((72, 24, -14, 9), (70, 30, -40, 10)),
    ((84, -28, 26, 9), (62, -37, 16, 7.5), (38, -45, 6, 7), (14, -48, -2, 9), (13, -46, -16, 8.5)),
    ((13, -43, -20, 7.5), (28, -18, -36, 6.5), (46, 14, -51, 7), (57, 29, -57, 9)),
)
_FEMUR: tuple[Nodes, ...] = (
    ((96, 4, 0, 14), (118, 9, -18, 13.5), (122, 12, -42, 16), (121, 10, -66, 14.5), (100, 4, -165, 14)),
    ((131, 18, -2, 9), (128, 16, -26, 12)),
    ((106, 24, -52, 6), (118, 14, -48, 10)),
)
_MELT = 6.0
"""mm over which two pieces run into each other."""


def paint(canvas: Canvas, build: Build) -> None:
    """Paint pelvis and femora that the slice meets."""
    if float(canvas.z.min()) > 175:
        return
    marrow = density(build)
    for side in (1, -1):
        _pelvis(canvas, build, side, marrow * 0.8)
        _femur(canvas, build, side, marrow)
    _sacrum(canvas, marrow * 0.8)


def beside_wing(canvas: Canvas, window: Window, build: Build) -> Array | None:
    """Distance from the muscle that lines the inner side of the iliac wings, mm; positive in muscle, wing and beyond.

    None where the slice passes above or below the wings. Bowel is cut off where this is positive.
    """
    z = cut(canvas.z, window)
    if float(z.min()) > 175 or float(z.max()) < 60:
        return None
    ax, ay, bx, by, radius, bulge = _wing(build, z)
    dx, dy = bx - ax, by - ay
    length = np.sqrt(dx * dx + dy * dy)
    px, py = np.abs(canvas.BX[window]) - ax, canvas.BY[window] - ay
    along = np.clip((px * dx + py * dy) / (length * length), 0, 1)
    outward = (py * dx - px * dy) / length - 4 * bulge * along * (1 - along)
    lining = np.interp(z, [50, 70, 110, 140, 165, 175], [-60, 11, 11, 8, 3, -60]).astype(np.float32)
    return np.asarray(outward + radius + lining, dtype=np.float32)


def _wing(build: Build, z: Array) -> list[Array]:
    """Start x, y, end x, y, radius and bulge of the left wing at heights."""
    columns = [np.interp(z, _WING[:, 0], column).astype(np.float32) for column in _WING[:, 1:].T]
    wide = np.float32(_width(build))
    return [columns[0] * wide, columns[1], columns[2] * wide, *columns[3:]]


def _width(build: Build) -> float:
    return 1.06 if build.sex == "F" else 1.0


def _side(
    canvas: Canvas, side: int, low: tuple[float, float, float], high: tuple[float, float, float]
) -> Window | None:
    """The window of a box of the left side or of its mirror image."""
    left, right = sorted((side * low[0], side * high[0]))
    return canvas.window((left, *low[1:]), (right, *high[1:]))


def _pelvis(canvas: Canvas, build: Build, side: int, marrow: float) -> None:
    window = _side(canvas, side, (0, -62, -70), (138, 100, 172))
    if window is None:
        return
    z = cut(canvas.z, window)
    wide = _width(build)
    pieces = []
    if float(z.max()) > 18:
        ax, ay, bx, by, radius, bulge = _wing(build, z)
        wing = bar_distance(canvas, window, (side * ax, ay), (side * bx, by), -side * bulge) - radius
        pieces.append(np.maximum(wing, np.maximum(20 - z, z - 168) * np.float32(0.8)))
    if float(z.min()) < 60:
        x, y = canvas.BX[window] * np.float32(side), canvas.BY[window]
        pieces += [_string(x, y, z, nodes, wide) for nodes in _PELVIS]
        pieces.append(_socket(x, y, z, wide))
    distance = reduce(_melted, pieces)
    if float(z.min()) < 60:
        distance = np.maximum(distance, np.float32(_HEAD_RADIUS + _JOINT) - _from_head(x, y, z, wide))
    bone(canvas, window, distance, marrow)


def _femur(canvas: Canvas, build: Build, side: int, marrow: float) -> None:
    window = _side(canvas, side, (62, -26, -170), (144, 36, 34))
    if window is None:
        return
    x, y, z = canvas.BX[window] * np.float32(side), canvas.BY[window], cut(canvas.z, window)
    head = _from_head(x, y, z, _width(build)) - np.float32(_HEAD_RADIUS)
    capsule = np.clip(0.5 - (head - np.float32(_JOINT)) / np.float32(canvas.pixel + 0.2 * canvas.slab), 0, 1)
    canvas.paint(window, capsule, 60.0)
    distance = reduce(_melted, [_string(x, y, z, nodes, 1.0) for nodes in _FEMUR], head)
    spongy = np.interp(z, [-50, -20, 0], [0.5, 0.8, 1.5]).astype(np.float32)
    cortex = np.interp(z, [-90, -40, -15], [5.0, 3.0, 1.7]).astype(np.float32)
    bone(canvas, window, distance, spongy * np.float32(marrow), cortex)


def _from_head(x: Array, y: Array, z: Array, wide: float) -> Array:
    """Distance from the middle of the femoral head."""
    return np.asarray(np.sqrt((x - np.float32(_HEAD[0] * wide)) ** 2 + (y - _HEAD[1]) ** 2 + (z - _HEAD[2]) ** 2))


def _socket(x: Array, y: Array, z: Array, wide: float) -> Array:
    """Distance from the acetabulum: a bowl around the femoral head, open to one side."""
    (cx, cy, cz), (a, b, c) = _SOCKET
    outer = np.sqrt(
        ((x - np.float32(cx * wide)) / np.float32(a)) ** 2
        + ((y - np.float32(cy)) / np.float32(b)) ** 2
        + ((z - np.float32(cz)) / np.float32(c)) ** 2
    )
    nx, ny, nz = (np.float32(value) for value in _OPENING)
    rim = (x - np.float32(_HEAD[0] * wide)) * nx + (y - np.float32(_HEAD[1])) * ny + (z - np.float32(_HEAD[2])) * nz
    return np.maximum((outer - 1) * np.float32((a + b) / 2), rim - np.float32(6))


def _string(x: Array, y: Array, z: Array, nodes: Nodes, wide: float) -> Array:
    """Distance from a string of tapering rods, mm."""
    pieces = []
    for (ax, ay, az, first), (bx, by, bz, last) in pairwise(nodes):
        start, step = np.array([ax * wide, ay, az]), np.array([(bx - ax) * wide, by - ay, bz - az])
        px, py, pz = x - np.float32(start[0]), y - np.float32(start[1]), z - np.float32(start[2])
        sx, sy, sz = (np.float32(value) for value in step)
        along = np.clip((px * sx + py * sy + pz * sz) / np.float32(step @ step), 0, 1)
        reach = np.sqrt((px - along * sx) ** 2 + (py - along * sy) ** 2 + (pz - along * sz) ** 2)
        pieces.append(reach - (np.float32(first) + along * np.float32(last - first)))
    return reduce(np.minimum, pieces)


def _melted(one: Array, other: Array) -> Array:
    """The union of two pieces with a fillet between them."""
    near = np.maximum(np.float32(_MELT) - np.abs(one - other), 0)
    return np.minimum(one, other) - near * near * np.float32(0.25 / _MELT)


def _sacrum(canvas: Canvas, marrow: float) -> None:
    window = canvas.window((-64, 40, 30), (64, 120, 118))
    if window is None:
        return
    z = cut(canvas.z, window)
    half = np.interp(z, [30, 50, 80, 105, 118], [8, 20, 36, 44, 40]).astype(np.float32)
    y = np.interp(z, [30, 50, 80, 105, 118], [96, 104, 92, 78, 68]).astype(np.float32)
    radius = np.interp(z, [30, 50, 80, 105, 118], [4, 7, 10, 12, 6]).astype(np.float32)
    zero = np.zeros_like(half)
    for side in (1, -1):
        bar = bar_distance(canvas, window, (zero, y), (side * half, y + 4)) - radius
        holes = canvas.noise(window, 21.0, 24) * 3 - 5
        bone(canvas, window, np.maximum(bar, holes), marrow)
