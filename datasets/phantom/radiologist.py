"""The readers: which lesions they bookmark, how they measure them, and what they get wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.geometry import recist
from datasets.phantom import codes, people
from datasets.phantom.lesion import Lesion, outline, recist_axes
from datasets.phantom.plan import Patient, Series, Study
from datasets.phantom.plane import Plane
from datasets.phantom.seeds import rng, uid

Array = NDArray[np.float64]

SMALLEST_PX = 3.0
"""Cross-sections with a shorter short axis than this are not measured."""


@dataclass(frozen=True)
class Mark:
    """One bookmark.

    Attributes
    ----------
    study : number of the study it belongs to.
    reader : index into `people.READERS`.
    tool : "recist", "line", "arrow", "ellipse" or "text".
    series, slice : where it was drawn; indices into the study's series and the series' planes.
    points : (N, 2) pixels, 0-based, centres at integers: 4 for recist (long axis first), 2 for line and arrow,
        4 for ellipse (ends of the major, then of the minor axis), 1 for text.
    lesion : id, or None.
    quality : "good", "duplicate", "outside_body" or "normal_structure".
    expected : "lesion", or why none comes of it: "not_recist", "non_axial", "duplicate" (merged) or "noise".
    label : the PACS's own numbers, such as "B06 of F03", or "B02" without a follow-up set.
    """

    study: int
    reader: int
    tool: str
    series: int
    slice: int
    points: Array
    lesion: int | None
    quality: str
    expected: str
    tracking_uid: str
    label: str
    finding: codes.Code
    place: codes.Code | None
    note: str = ""


def key_slice(lesion: Lesion, series: Series) -> int | None:
    """The slice on which a lesion's cross-section is greatest, or None where the series does not hold it."""
    positions = np.array([plane.to_pixel(lesion.centre) for plane in series.planes])
    distance = np.abs(positions[:, 2])
    best = int(distance.argmin())
    plane = series.planes[best]
    inside = np.all((positions[best, :2] > 8) & (positions[best, :2] < (plane.columns - 9, plane.rows - 9)))
    if not inside or distance[best] > series.interval * 0.51 or best in series.missing:
        return None
    return best


def measure(lesion: Lesion, plane: Plane, random: np.random.Generator) -> Array | None:
    """Draw RECIST axes on a cross-section with a human hand; None where there is too little to measure.

    Returns
    -------
    (4, 2) pixels, 0-based, long axis first.
    """
    border = outline(lesion, plane)
    if len(border) < 12:
        return None
    axes = recist_axes(border)
    lengths = recist.diameters(axes)
    if lengths[1] < SMALLEST_PX:
        return None
    axes += random.normal(0, 0.35, axes.shape) + random.normal(0, 0.018, axes.shape) * lengths.repeat(2)[:, None]
    return recist.long_axis_first(axes)


def true_size(lesion: Lesion, plane: Plane) -> tuple[float, float] | None:
    """Long and short diameter (mm) of the true outline on a slice."""
    border = outline(lesion, plane)
    if len(border) < 12:
        return None
    long, short = recist.diameters(recist_axes(border)) * plane.spacing
    return float(long), float(short)


def is_bookmarked(patient: Patient, lesion: Lesion) -> bool:
    """Whether any reader ever cares about this lesion; the first one always counts."""
    return lesion.id == 1 or bool(rng(patient.seed, "care", lesion.id).random() < 0.74)


def read(patient: Patient) -> list[Mark]:
    """Read all CT studies of a patient."""
    marks: list[Mark] = []
    for study in patient.studies:
        counter = iter(range(1, 100))
        marks.extend(_lesions(patient, study, counter))
        marks.extend(_other_tools(patient, study, counter))
        if study.number == 1:
            marks.extend(_mistakes(patient, study, counter))
            marks.extend(_reformats(patient, study, counter))
    return marks


def _lesions(patient: Patient, study: Study, counter: Iterator[int]) -> Iterator[Mark]:
    random = rng(patient.seed, "read", study.number)
    reader = int(random.integers(len(people.READERS)))
    sets = [lesion.id for lesion in study.lesions if is_bookmarked(patient, lesion)]
    for lesion in study.lesions:
        if lesion.id not in sets or (random.random() > 0.93 and lesion.id != 1):
            continue
        places = [(order, key_slice(lesion, series)) for order, series in enumerate(study.series) if series.is_axial]
        held = [(order, at) for order, at in places if at is not None]
        if not held:
            continue
        order, at = held[-1] if random.random() < 0.8 else held[0]
        plane = study.series[order].planes[at]
        points = measure(lesion, plane, random)
        if points is None:
            continue
        number = f"F{sets.index(lesion.id) + 1:02d}"
        yield Mark(
            study.number,
            reader,
            "recist",
            order,
            at,
            points,
            lesion.id,
            "good",
            "lesion",
            uid(patient.seed, "tracking", lesion.id),
            f"B{next(counter):02d} of {number}",
            codes.FINDINGS[lesion.type],
            codes.PLACES[lesion.place],
        )
        second = (lesion.id == 1 and study.number == 1 and patient.index % 4 == 1) or random.random() < 0.05
        again = measure(lesion, plane, random) if second else None
        if again is not None:
            yield Mark(
                study.number,
                (reader + 1) % len(people.READERS),
                "recist",
                order,
                at,
                again,
                lesion.id,
                "duplicate",
                "duplicate",
                uid(patient.seed, "tracking again", study.number, lesion.id),
                f"B{next(counter):02d}",
                codes.FINDINGS[lesion.type],
                codes.PLACES[lesion.place],
            )


def _other_tools(patient: Patient, study: Study, counter: Iterator[int]) -> Iterator[Mark]:
    """Lines, arrows, ellipses and text (paper, Fig. 5)."""
    random = rng(patient.seed, "tools", study.number)
    for lesion in study.lesions:
        if random.random() > 0.3:
            continue
        tool = str(random.choice(["line", "arrow", "ellipse", "text"], p=[0.42, 0.3, 0.12, 0.16]))
        at = key_slice(lesion, study.series[0])
        if at is None:
            continue
        axes = measure(lesion, study.series[0].planes[at], random)
        if axes is None:
            continue
        note = ""
        if tool == "line":
            points = axes[:2]
        elif tool == "arrow":
            points = np.stack([axes[1] + (18.0, -14.0), axes[1]])
        elif tool == "ellipse":
            middle, half = axes.mean(axis=0), recist.diameters(axes) * 0.6
            points = middle + np.array([(-half[0], 0), (half[0], 0), (0, -half[1]), (0, half[1])])
        else:
            points, note = axes[1:2] + 4, "compare with prior"
        yield Mark(
            study.number,
            int(random.integers(len(people.READERS))),
            tool,
            0,
            at,
            points,
            lesion.id,
            "good",
            "not_recist",
            uid(patient.seed, "tool", study.number, lesion.id),
            f"B{next(counter):02d}",
            codes.LESION,
            codes.PLACES[lesion.place],
            note,
        )


def _mistakes(patient: Patient, study: Study, counter: Iterator[int]) -> Iterator[Mark]:
    """A measurement in the air beside the patient, or on healthy tissue."""
    random = rng(patient.seed, "mistakes")
    series = study.series[0]
    at = next(index for index in range(len(series.planes) // 3, len(series.planes)) if index not in series.missing)
    plane = series.planes[at]
    if patient.index % 8 == 1:
        centre, half, quality = np.array([plane.columns * 0.06 + 6, plane.rows * 0.09 + 6]), (7.0, 5.0), "outside_body"
    elif patient.index % 8 == 2:
        place = patient.build.frame.to_patient((45.0, 118.0, 0.0))
        centre, half, quality = (
            plane.to_pixel((place[0], place[1], plane.origin[2]))[:2],
            (2.2, 1.6),
            "normal_structure",
        )
    else:
        return
    points = (
        centre
        + np.array([(-half[0], 0.3), (half[0], -0.3), (0.2, -half[1]), (-0.2, half[1])])
        + random.normal(0, 0.2, (4, 2))
    )
    yield Mark(
        study.number,
        int(random.integers(len(people.READERS))),
        "recist",
        0,
        at,
        points,
        None,
        quality,
        "noise",
        uid(patient.seed, "mistake"),
        f"B{next(counter):02d}",
        codes.LESION,
        None,
    )


def _reformats(patient: Patient, study: Study, counter: Iterator[int]) -> Iterator[Mark]:
    """Measurements on oblique and coronal reformats."""
    random = rng(patient.seed, "reformats")
    for order, series in enumerate(study.series):
        if series.is_axial or not study.lesions:
            continue
        lesion = study.lesions[0]
        at = key_slice(lesion, series)
        points = None if at is None else measure(lesion, series.planes[at], random)
        if at is not None and points is not None:
            yield Mark(
                study.number,
                int(random.integers(len(people.READERS))),
                "recist",
                order,
                at,
                points,
                lesion.id,
                "good",
                "non_axial",
                uid(patient.seed, "tracking", lesion.id),
                f"B{next(counter):02d}",
                codes.FINDINGS[lesion.type],
                codes.PLACES[lesion.place],
            )
