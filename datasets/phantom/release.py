"""The phantom in release layout: DL_info.csv, Images_png and manifest.json, with numpy and Pillow alone.

Beside them, fully_annotated.json has the boxes of all lesions of the validation and test patients, see
`datasets.phantom.volumes`.

For machines that train: no DICOM is written or read, and nothing of pydicom or Django is imported.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from datasets import dl_info, manifest
from datasets.geometry import hu as grey
from datasets.geometry import recist
from datasets.geometry.body import GREATEST, LEAST
from datasets.phantom import body, plan, pool, radiologist, render, volumes
from datasets.phantom.output import fresh_folder
from datasets.phantom.plane import triple
from datasets.phantom.seeds import rng

VERSION = 1
SHARES = (0.70, 0.15, 0.15)
TRAIN = 1
HEAD, FEET = 982.0, -165.0
"""Heights (body frame, mm) at which z of Normalized_lesion_location is 0 and 1: they bring the organs to the medians
that the published part regressor gives, mediastinum 0.45 to pelvis 0.80."""

Progress = Callable[[int, int], None]
Job = tuple[str, int, int, int, int, float]


def write_release(
    out: Path,
    *,
    patients: int,
    seed: int,
    size: int = 512,
    context_mm: float = 30.0,
    processes: int = 1,
    progress: Progress | None = None,
) -> None:
    """Write a release of phantom patients.

    Parameters
    ----------
    out : must not exist, or be empty; it appears when all is written.
    patients, seed : decide every pixel, whatever the number of processes.
    size : columns and rows of an ordinary slice; the field of view stays the same.
    context_mm : slices within this distance of a key slice are written too.
    processes : patients are shared out among so many.
    progress : called with patients done and in all.

    Raises
    ------
    OutputExists : `out` holds something already.
    WorkerLost : a process was killed.
    """
    with fresh_folder(out) as folder:
        splits = split(patients, seed)
        jobs = [(str(folder), seed, index, size, splits[index], context_mm) for index in range(1, patients + 1)]
        (folder / manifest.IMAGES).mkdir()
        rows: list[dl_info.Row] = []
        annotated: dict[str, volumes.Boxes] = {}
        with pool.each(_write_patient, jobs, processes) as results:
            for done, (found, boxes) in enumerate(results, start=1):
                rows.extend(found)
                annotated |= boxes
                if progress is not None:
                    progress(done, patients)
        with (folder / manifest.TABLE).open("w", encoding="utf-8", newline="") as file:
            file.write(f"{dl_info.HEADER}\n")
            for row in sorted(rows, key=lambda row: row.patient):
                file.write(f"{dl_info.format_line(row)}\n")
        (folder / volumes.FILE).write_text(json.dumps(dict(sorted(annotated.items()))) + "\n", encoding="utf-8")
        extra = {
            "name": f"phantom-{patients}-{seed}",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "generator": f"datasets.phantom {VERSION}",
            "seed": seed,
            "location_sources": ["phantom"],
        }
        manifest.write(folder, extra=extra)


def split(patients: int, seed: int) -> dict[int, int]:
    """Key of `dl_info.SPLITS` per patient index: 70 % train, 15 % val, 15 % test."""
    order = rng(seed, "split").permutation(np.arange(1, patients + 1))
    first = round(patients * SHARES[0])
    second = first + round(patients * SHARES[1])
    return {int(index): 1 if rank < first else 2 if rank < second else 3 for rank, index in enumerate(order)}


def _write_patient(job: Job) -> tuple[list[dl_info.Row], dict[str, volumes.Boxes]]:
    folder, seed, index, size, split_key, context_mm = job
    patient, anatomy = plan.patient(seed, index, size)
    marks = [mark for mark in radiologist.read(patient) if mark.quality == "good" and mark.expected == "lesion"]
    rows: list[dl_info.Row] = []
    annotated: dict[str, volumes.Boxes] = {}
    for study in patient.studies:
        for order, series in enumerate(study.series):
            own = [mark for mark in marks if mark.study == study.number and mark.series == order]
            needed = _context(series, [mark.slice for mark in own], context_mm)
            if not needed:
                continue
            name = dl_info.folder_name(index, study.number, order + 1)
            place = Path(folder) / manifest.IMAGES / name
            place.mkdir()
            if split_key != TRAIN:
                annotated |= volumes.sub_volumes(name, series, study.lesions, needed)
            for step in needed:
                save_png(place / dl_info.slice_name(step + 1), render.of_series(patient, anatomy, study, series, step))
            rows.extend(_row(patient, study, order, mark, needed, split_key) for mark in own)
    return rows, annotated


def save_png(path: Path, hu: NDArray[np.int16]) -> None:
    """Write HU as a 16-bit PNG; run-length strategy, which noise compresses no worse with."""
    Image.fromarray(grey.to_png(hu)).save(path, format="PNG", compress_level=1, compress_type=3)


def _context(series: plan.Series, keys: list[int], context_mm: float) -> list[int]:
    """Indices of the slices within `context_mm` of any key slice."""
    steps = round(context_mm / series.interval)
    near = {step for key in keys for step in range(key - steps, key + steps + 1)}
    return sorted(step for step in near if 0 <= step < len(series.planes))


def _row(
    patient: plan.Patient, study: plan.Study, order: int, mark: radiologist.Mark, needed: list[int], split_key: int
) -> dl_info.Row:
    series = study.series[order]
    plane = series.planes[mark.slice]
    lesion = next(lesion for lesion in study.lesions if lesion.id == mark.lesion)
    first = last = mark.slice
    present = set(needed)
    while first - 1 in present:
        first -= 1
    while last + 1 in present:
        last += 1
    centre, width = series.window
    return dl_info.Row(
        patient=patient.index,
        study=study.number,
        series=order + 1,
        slice=mark.slice + 1,
        recist=tuple(float(value) for value in mark.points.ravel()),
        box=tuple(float(value) for value in recist.bounding_box(mark.points)),
        diameters_px=tuple(float(value) for value in recist.diameters(mark.points)),
        location=location(patient, plane.to_patient(mark.points.mean(axis=0))),
        type=lesion.type,
        noisy=False,
        slice_range=(first + 1, last + 1),
        spacing=(plane.spacing, plane.spacing),
        slice_interval=series.interval,
        image_size=(plane.columns, plane.rows),
        window=(centre - width / 2, centre + width / 2),
        sex=patient.person.sex,
        age=patient.build.age + (study.day - patient.studies[0].day).days // 365,
        split=split_key,
    )


def location(patient: plan.Patient, point: ArrayLike) -> tuple[float, float, float]:
    """Place of a point (LPS, mm) relative to the body, 0..1: x to the left, y to the back, z from head to feet.

    x and y in the scale of the published values, see `datasets.geometry.body`.
    """
    x, y, z = patient.build.frame.to_body(point)
    left, front, back = body.extent(patient.build, float(z))
    across = (np.array([(x + left) / (2 * left), (y + front) / (front + back)]) - LEAST) / (GREATEST - LEAST)
    values = (*across, (HEAD - z) / (HEAD - FEET))
    return triple(np.clip(values, 0, 1))
