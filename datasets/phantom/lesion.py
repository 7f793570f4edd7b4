"""A lesion as a solid in the patient's space: an ellipsoid with bumps, its tissue, and how it is drawn."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.canvas import Canvas, Frame, cut, soft
from datasets.phantom.plane import Plane

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Lesion:
    """One lesion at the time of one study.

    Attributes
    ----------
    id : counted from 1 within a patient.
    type : key of `dl_info.TYPES`.
    place : what it lies in, the key of a finding site.
    centre : LPS, mm.
    radii : of the underlying ellipsoid along its own axes, mm; the first lies in the axial plane.
    turn : degrees from the patient's left towards the back, of the first axis.
    bumps : (N, 5): direction x, y, z scaled by frequency, phase, amplitude relative to the radius.
    hu : of the tissue; `opacity` below 1 lets what lies beneath show (ground glass).
    core : HU of the necrotic or fatty centre, or None.
    blur : mm over which the border fades beyond the slice's own softness.
    limit : greatest long axis it ever grows to, mm.
    wall : unit vector (LPS) from the centre to the wall of the trunk and the distance to it in mm, or None: where a
        lesion of an inner organ would grow through the wall, it is flattened there.
    """

    id: int
    type: int
    place: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    turn: float
    bumps: tuple[tuple[float, float, float, float, float], ...]
    hu: float
    opacity: float
    core: float | None
    blur: float
    limit: float
    wall: tuple[float, float, float, float] | None = None

    def scaled(self, factor: float, hu_shift: float = 0.0) -> "Lesion":
        """The same lesion at another time; it grows no further than its `limit`."""
        factor = min(factor, self.limit / 2 / self.radii[0])
        a, b, c = (radius * factor for radius in self.radii)
        return replace(self, radii=(a, b, c), hu=self.hu + hu_shift)

    @property
    def reach(self) -> float:
        """Radius of a ball that holds the lesion, mm."""
        return max(self.radii) * (1 + sum(bump[4] for bump in self.bumps))

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Roughly the distance from the border, negative inside, mm; x, y, z in LPS mm."""
        dx, dy, dz = x - self.centre[0], y - self.centre[1], z - self.centre[2]
        angle = np.deg2rad(self.turn)
        u = (dx * np.cos(angle) + dy * np.sin(angle)) / self.radii[0]
        v = (dy * np.cos(angle) - dx * np.sin(angle)) / self.radii[1]
        w = dz / self.radii[2]
        q = np.sqrt(u * u + v * v + w * w) + 1e-6
        bump = np.ones_like(q)
        for kx, ky, kz, phase, amplitude in self.bumps:
            bump += amplitude * np.sin((kx * u + ky * v + kz * w) / q + phase)
        distance = np.asarray((q / bump - 1) * (self.radii[0] + self.radii[1]) / 2)
        if self.wall is None:
            return distance
        nx, ny, nz, room = self.wall
        return np.maximum(distance, dx * nx + dy * ny + dz * nz - room)

    def paint(self, canvas: Canvas, frame: Frame) -> None:
        """Draw the lesion onto a slice."""
        body = frame.to_body(self.centre)
        reach = (self.reach + 2) / np.asarray(frame.scale)
        window = canvas.window(body - reach, body + reach, margin=1.0)
        if window is None:
            return
        x, y, z = (
            cut(axis, window) * np.float32(s) + np.float32(o)
            for axis, s, o in zip((canvas.x, canvas.y, canvas.z), frame.scale, frame.offset, strict=True)
        )
        rise = min(1.0, abs(float(z.mean()) - self.centre[2]) / self.radii[2])
        slope = rise * (self.radii[0] + self.radii[1]) / 2 / self.radii[2]
        edge = canvas.pixel + self.blur + canvas.slab * slope
        distance = self.distance(x, y, z).astype(np.float32)
        tissue = np.float32(self.hu) + 6 * canvas.noise(window, max(4.0, self.radii[1] * 0.7), 71)
        if self.core is not None:
            inner = soft(distance + np.float32(0.42 * self.radii[1]), np.float32(0.3 * self.radii[1] + 1))
            tissue += inner * (np.float32(self.core) - tissue)
        canvas.paint(window, soft(distance, np.float32(edge)) * np.float32(self.opacity), tissue)


def outline(lesion: Lesion, plane: Plane) -> NDArray[np.float64]:
    """The border of a lesion's cross-section on a slice.

    Returns
    -------
    (N, 2) points in pixels, 0-based, in no particular order; (0, 2) where the slice misses the lesion.
    """
    middle = plane.to_pixel(lesion.centre)
    half = lesion.reach / plane.spacing + 1
    step = min(0.25, half / 40)
    axis = np.arange(-half, half + step, step)
    pixels = np.stack(np.meshgrid(middle[0] + axis, middle[1] + axis), axis=-1)
    points = plane.to_patient(pixels)
    value = lesion.distance(points[..., 0], points[..., 1], points[..., 2])
    found = []
    for along in (0, 1):
        first = value[:-1] if along == 0 else value[:, :-1]
        second = value[1:] if along == 0 else value[:, 1:]
        row, column = np.nonzero((first < 0) != (second < 0))
        share = first[row, column] / (first[row, column] - second[row, column])
        point = pixels[row, column].copy()
        point[:, 1 - along] += share * step
        found.append(point)
    return np.vstack(found)


def recist_axes(border: NDArray[np.float64]) -> NDArray[np.float64]:
    """The longest diameter of an outline and the longest one perpendicular to it.

    Parameters
    ----------
    border : (N, 2) in pixels of equal spacing along x and y; at least three points.

    Returns
    -------
    (4, 2): both ends of the long axis, then both ends of the short axis.
    """
    angles = np.deg2rad(np.arange(0, 180, 3.0))
    spread = border @ np.stack([np.cos(angles), np.sin(angles)])
    candidates = border[np.unique([spread.argmin(axis=0), spread.argmax(axis=0)])]
    gaps = np.linalg.norm(candidates[:, None] - candidates[None], axis=-1)
    i, j = np.unravel_index(int(gaps.argmax()), gaps.shape)
    start, end = candidates[i], candidates[j]
    length = float(gaps[i, j])
    forward = (end - start) / length
    sideways = np.array([-forward[1], forward[0]])
    along, across = (border - start) @ forward, (border - start) @ sideways
    bins = np.clip((along / length * 48).astype(int), 0, 47)
    best, place = 0.0, (0.0, 0.0, 0.0)
    for number in range(3, 45):
        here = across[np.abs(bins - number) <= 0]
        if len(here) > 1 and np.ptp(here) > best:
            best, place = float(np.ptp(here)), ((number + 0.5) / 48 * length, float(here.min()), float(here.max()))
    at = start + forward * place[0]
    return np.array([start, end, at + sideways * place[1], at + sideways * place[2]])
