"""One slice, start to finish: body, lesions, table, noise."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.phantom import body, quantum
from datasets.phantom.anatomy import Anatomy
from datasets.phantom.canvas import Canvas, soft
from datasets.phantom.lesion import Lesion
from datasets.phantom.plan import Patient, Series, Study
from datasets.phantom.plane import Plane
from datasets.phantom.seeds import rng

Array = NDArray[np.floating[Any]]

LOW, HIGH = -1024, 3071


def slice_hu(
    anatomy: Anatomy,
    plane: Plane,
    *,
    phase: str,
    kernel: quantum.Kernel,
    lesions: Sequence[Lesion],
    dose: float,
    random: np.random.Generator,
) -> NDArray[np.int16]:
    """Render a slice.

    Parameters
    ----------
    plane : where it lies; any orientation, thickness and matrix.
    phase : one of `build.PHASES`.
    dose : relative; less gives more noise.
    random : the noise of this slice.

    Returns
    -------
    (rows, columns) int16 HU in -1024..3071.
    """
    hu = np.full((plane.rows, plane.columns), -1000, dtype=np.float32)
    _table(hu, plane, anatomy)
    row, column, canvas = _body(anatomy, plane, kernel.sharpness)
    if canvas is not None:
        part = hu[row : row + canvas.plane.rows, column : column + canvas.plane.columns]
        canvas.hu[:] = part
        anatomy.paint(canvas, phase)
        for lesion in lesions:
            lesion.paint(canvas, anatomy.build.frame)
        part[:] = canvas.hu
    quantum.add(hu, plane.spacing, plane.thickness, kernel, dose, random)
    return np.clip(np.rint(hu), LOW, HIGH).astype(np.int16)


def of_series(patient: Patient, anatomy: Anatomy, study: Study, series: Series, index: int) -> NDArray[np.int16]:
    """Render one slice of a planned series, (rows, columns) HU; the same whichever slices came before."""
    return slice_hu(
        anatomy,
        series.planes[index],
        phase=study.phase,
        kernel=series.kernel,
        lesions=study.lesions,
        dose=series.dose,
        random=rng(patient.seed, "noise", study.number, series.kind, index),
    )


def _body(anatomy: Anatomy, plane: Plane, sharpness: float) -> tuple[int, int, Canvas | None]:
    """A canvas over the part of the slice that holds the body, with its first row and column."""
    frame = anatomy.build.frame
    low, high = body.outline_box(anatomy.build, -170.0, 660.0)
    corners = np.array(
        [[(low, high)[i][0], (low, high)[j][1], (low, high)[k][2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    )
    pixels = plane.to_pixel(frame.to_patient(corners))
    first = np.maximum(np.floor(pixels[:, :2].min(axis=0)), 0).astype(int)
    last = np.minimum(np.ceil(pixels[:, :2].max(axis=0)) + 1, (plane.columns, plane.rows)).astype(int)
    if np.any(last - first < 2):
        return 0, 0, None
    x, y, z = (float(value) for value in plane.to_patient(first))
    part = replace(plane, origin=(x, y, z), columns=int(last[0] - first[0]), rows=int(last[1] - first[1]))
    return int(first[1]), int(first[0]), Canvas(part, frame, anatomy.warp, sharpness)


def _table(hu: Array, plane: Plane, anatomy: Anatomy) -> None:
    """The table top: two thin curved shells under the back."""
    frame, build = anatomy.build.frame, anatomy.build
    columns = np.arange(plane.columns) * plane.spacing
    rows = np.arange(plane.rows)[:, None] * plane.spacing
    if abs(plane.right[0]) < 0.99:
        return
    x = plane.origin[0] + columns[None] * plane.right[0] - frame.offset[0]
    y = plane.origin[1] + rows * plane.down[1]
    flat, gap, bend = anatomy.table
    top = frame.offset[1] + frame.scale[1] * (119 + 17 * build.fat) + flat
    height = top - bend * x * x
    inside = (np.abs(x) < 235).astype(np.float32)
    first, last = sorted(
        (
            (top - bend * 235**2 - 5 - plane.origin[1]) / (plane.spacing * plane.down[1] or 1e-9),
            (top + gap + 8 - plane.origin[1]) / (plane.spacing * plane.down[1] or 1e-9),
        )
    )
    window = slice(max(0, int(first)), max(0, min(plane.rows, int(last) + 1)))
    part, y = hu[window], y[window] if y.shape[0] > 1 else y
    for shell, thick, tone in ((0.0, 1.5, 420.0), (gap, 1.1, 160.0)):
        curve = height + shell - (shell > 0) * bend * 0.35 * x * x
        cover = soft((np.abs(y - curve) - thick).astype(np.float32), np.float32(plane.spacing)) * inside
        part += cover * (np.float32(tone) - part)
