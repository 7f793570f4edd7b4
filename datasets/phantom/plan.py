"""What happens to a patient in the phantom hospital: studies, series, lesions over time. Nothing is drawn here."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from datasets.phantom import build, people, quantum, sites
from datasets.phantom.anatomy import Anatomy
from datasets.phantom.lesion import Lesion
from datasets.phantom.plane import Plane, axial, tilted, triple
from datasets.phantom.seeds import rng, uid

QUIRKS = {2: "shuffled", 3: "feet_first", 4: "matrix_768", 5: "tilt", 6: "missing_slice", 7: "oblique"}
"""Patient index modulo 20 -> what is odd about the first study, so that every hospital of 8 patients has each."""
SYNTAXES = {1: "jpeg2000", 3: "jpegls", 4: "rle"}
"""Patient index modulo 20 -> transfer syntax of one series for certain; others follow by chance."""

SOFT_WINDOW, LUNG_WINDOW, BONE_WINDOW = (50, 450), (-500, 2000), (400, 1800)


@dataclass(frozen=True)
class Region:
    """What is scanned: heights in the body frame, how often, and which lesions occur."""

    name: str
    low: float
    high: float
    share: float
    types: tuple[int, ...]


REGIONS = (
    Region("CHEST", 292, 566, 0.50, (3, 5, 7, 1)),
    Region("ABDOMEN", 218, 402, 0.28, (1, 2, 4, 6, 7)),
    Region("ABDOMEN PELVIS", -32, 402, 0.03, (1, 2, 4, 6, 7, 8)),
    Region("CHEST ABDOMEN PELVIS", -32, 566, 0.19, (1, 2, 3, 4, 5, 6, 7, 8)),
)


@dataclass(frozen=True)
class Series:
    """One reconstruction: its slices from head to feet (reformats: front to back) and how it is stored.

    Attributes
    ----------
    kind : "axial", "slab" (thin axial slices around a lesion), "oblique" or "coronal".
    quirks : names out of `QUIRKS`' values.
    syntax : "explicit", "implicit", "jpeg2000", "jpegls" or "rle".
    instance_numbers : InstanceNumber per slice.
    missing : indices of slices that were lost before they reached the archive.
    dose : relative, see `quantum.add`.
    """

    uid: str
    number: int
    kind: str
    description: str
    planes: tuple[Plane, ...]
    interval: float
    kernel: quantum.Kernel
    window: tuple[int, int]
    dose: float
    quirks: tuple[str, ...]
    syntax: str
    instance_uids: tuple[str, ...]
    instance_numbers: tuple[int, ...]
    missing: frozenset[int]

    @property
    def is_axial(self) -> bool:
        return self.kind in ("axial", "slab")


@dataclass(frozen=True)
class Study:
    """One visit to the scanner."""

    number: int
    uid: str
    frame_uid: str
    day: date
    accession: str
    region: str
    phase: str
    kvp: int
    series: tuple[Series, ...]
    lesions: tuple[Lesion, ...]
    """As they are on that day, those outside the region included."""


@dataclass(frozen=True)
class Patient:
    """One patient's whole story; `index` counts from 1."""

    index: int
    seed: int
    person: people.Person
    build: build.Build
    region: Region
    studies: tuple[Study, ...]


def patient(seed: int, index: int, size: int = 512) -> tuple[Patient, Anatomy]:
    """Make up a patient.

    Parameters
    ----------
    seed, index : decide everything.
    size : columns and rows of an ordinary slice; the field of view stays the same.
    """
    own = int(rng(seed, "patient", index).integers(2**31))
    random = rng(own, "story")
    sex = "M" if random.random() < 0.57 else "F"
    age = int(np.clip(random.normal(55, 17), 6, 86))
    body = build.make(own, sex, age)
    anatomy = Anatomy(body)
    shares = np.array([region.share for region in REGIONS])
    turn = (index * 0.618034 + float(rng(seed, "turn").random())) % 1.0  # an even mix even in a small hospital
    region = REGIONS[2] if index % 5 == 3 else REGIONS[int(np.searchsorted(shares.cumsum(), turn * shares.sum()))]
    phase = str(random.choice(build.PHASES, p=[0.12, 0.2, 0.6, 0.08]))
    first = _lesions(anatomy, region, index, phase, random)
    visits = 1 + int(np.searchsorted((0.5, 0.85), (index * 0.754878 + float(rng(seed, "visits").random())) % 1.0))
    days = people.study_dates(random, visits)
    person = people.invent(random, index, age, days[0], sex)
    studies = []
    lesions = first
    for number, day in enumerate(days, start=1):
        if number > 1:
            lesions = [
                lesion.scaled(float(np.clip(np.exp(random.normal(0.02, 0.24)), 0.45, 1.9)), float(random.normal(0, 4)))
                for lesion in lesions
            ]
        studies.append(_study(own, anatomy, index, number, day, region, phase, lesions, size))
    return Patient(index, own, person, body, region, tuple(studies)), anatomy


def _lesions(anatomy: Anatomy, region: Region, index: int, phase: str, random: np.random.Generator) -> list[Lesion]:
    count = int(random.integers(3, 8))
    kinds = sites.types_for(index, count, region.types, random)
    lesions: list[Lesion] = []
    for kind in kinds:
        try:
            lesion = sites.grow(anatomy, len(lesions) + 1, kind, phase, (region.low, region.high), random)
        except sites.NoRoom:
            continue
        apart = [
            float(np.linalg.norm(np.subtract(lesion.centre, other.centre))) - lesion.reach - other.reach
            for other in lesions
        ]
        if min(apart, default=1.0) > 0:
            lesions.append(lesion)
    return lesions


def _study(
    seed: int,
    anatomy: Anatomy,
    index: int,
    number: int,
    day: date,
    region: Region,
    phase: str,
    lesions: list[Lesion],
    size: int,
) -> Study:
    random = rng(seed, "study", number)
    quirk = QUIRKS.get(index % 20) if number == 1 else None
    field = _field_of_view(anatomy)
    middle = anatomy.build.frame.to_patient((0, 4 + float(random.normal(0, 4)), 0))
    matrix = size * 3 // 2 if quirk == "matrix_768" else size
    series = [_main(seed, anatomy, number, region, middle, field / matrix, matrix, quirk, random)]
    if lesions and (random.random() < 0.38 or (index % 20 in SYNTAXES and number == 1)):
        series.append(_slab(seed, anatomy, number, lesions, middle, field / size, size, random))
    if quirk == "oblique" or (index % 6 == 0 and number == 1):
        series.append(
            _reformat(seed, number, lesions, "oblique" if quirk == "oblique" else "coronal", field / size, size)
        )
    wanted = SYNTAXES.get(index % 20) if number == 1 else None
    stored = []
    for order, one in enumerate(series):
        syntax = str(random.choice(["explicit", "implicit", "jpegls", "rle"], p=[0.68, 0.12, 0.1, 0.1]))
        if wanted and order == (0 if wanted == "rle" else len(series) - 1):
            syntax = wanted
        stored.append(replace(one, syntax=syntax, number=order + 2))
    return Study(
        number=number,
        uid=uid(seed, "study", number),
        frame_uid=uid(seed, "frame", number),
        day=day,
        accession=f"RA{day:%y}{int(random.integers(100000, 999999))}",
        region=region.name,
        phase=phase,
        kvp=int(random.choice([100, 120, 130], p=[0.15, 0.75, 0.1])),
        series=tuple(stored),
        lesions=tuple(lesions),
    )


def _field_of_view(anatomy: Anatomy) -> float:
    """A field of view (mm) that the body fits into, most of the time."""
    build_ = anatomy.build
    wide = 2 * (150 + 14 * build_.fat + 14 * build_.muscle) * build_.frame.scale[0]
    return float(np.clip(wide * build_.rng("field of view").uniform(1.04, 1.22), 300, 500))


def _main(
    seed: int,
    anatomy: Anatomy,
    number: int,
    region: Region,
    middle: np.ndarray,
    spacing: float,
    size: int,
    quirk: str | None,
    random: np.random.Generator,
) -> Series:
    frame = anatomy.build.frame
    high, low = (frame.to_patient((0, 0, z))[2] for z in (region.high, region.low))
    count = int((high - low) / 5) + 1
    top = float(high + random.uniform(-4, 4))
    planes = [axial((middle[0], middle[1], top - 5.0 * step), spacing, size, 5.0) for step in range(count)]
    if quirk == "tilt":
        planes = [tilted(plane, 9.0) for plane in planes]
    numbers = np.arange(1, count + 1)
    if quirk == "feet_first":
        numbers = numbers[::-1]
    if quirk == "shuffled":
        numbers = random.permutation(numbers)
    kernel = quantum.KERNELS[str(random.choice(["B31f", "STANDARD", "FC08"]))]
    missing = frozenset({count // 2}) if quirk == "missing_slice" else frozenset[int]()
    quirks = (quirk,) if quirk not in (None, "oblique") else ()
    return _series(
        seed,
        number,
        "axial",
        f"{region.name.title()} 5.0 {kernel.name}",
        planes,
        5.0,
        kernel,
        SOFT_WINDOW,
        float(random.uniform(0.8, 1.6)),
        quirks,
        [int(value) for value in numbers],
        missing,
    )


def _slab(
    seed: int,
    anatomy: Anatomy,
    number: int,
    lesions: list[Lesion],
    middle: np.ndarray,
    spacing: float,
    size: int,
    random: np.random.Generator,
) -> Series:
    count = int(random.integers(38, 48))
    heights = np.array([lesion.centre[2] for lesion in lesions])
    company = (np.abs(heights[:, None] - heights) < count / 2 - 2).sum(axis=1) + random.random(len(lesions))
    lesion = lesions[int(company.argmax())]
    lung = lesion.type == sites.LUNG
    kernel = quantum.KERNELS[str(random.choice(["B60f", "LUNG"])) if lung else "B31f"]
    top = lesion.centre[2] + count / 2
    planes = [axial((middle[0], middle[1], top - step), spacing, size, 1.0) for step in range(count)]
    return _series(
        seed,
        number,
        "slab",
        f"Thin 1.0 {kernel.name}",
        planes,
        1.0,
        kernel,
        LUNG_WINDOW if lung else SOFT_WINDOW,
        float(random.uniform(1.2, 2.2)),
        (),
        list(range(1, count + 1)),
        frozenset(),
    )


def _reformat(seed: int, number: int, lesions: list[Lesion], kind: str, spacing: float, size: int) -> Series:
    """A stack of 24 reformatted slices around the first lesion."""
    centre = np.asarray(lesions[0].centre if lesions else (0.0, -150.0, -400.0))
    right = (1.0, 0.0, 0.0)
    angle = np.deg2rad(90.0 if kind == "coronal" else 35.0)
    down = (0.0, float(np.cos(angle)), -float(np.sin(angle)))
    normal = np.cross(right, down)
    half = (size - 1) / 2 * spacing
    planes = []
    for step in range(24):
        middle = np.array([0.0, centre[1], centre[2]]) + normal * 3.0 * (step - 12)
        origin = middle - np.multiply(right, half) - np.multiply(down, half)
        planes.append(Plane(triple(origin), right, down, spacing, size, size, 3.0))
    return _series(
        seed,
        number,
        kind,
        f"MPR {kind} 3.0",
        planes,
        3.0,
        quantum.KERNELS["B31f"],
        SOFT_WINDOW,
        1.5,
        (kind,) if kind == "oblique" else (),
        list(range(1, 25)),
        frozenset(),
    )


def _series(
    seed: int,
    study: int,
    kind: str,
    description: str,
    planes: list[Plane],
    interval: float,
    kernel: quantum.Kernel,
    window: tuple[int, int],
    dose: float,
    quirks: tuple[str, ...],
    numbers: list[int],
    missing: frozenset[int],
) -> Series:
    return Series(
        uid=uid(seed, "series", study, kind),
        number=2,
        kind=kind,
        description=description,
        planes=tuple(planes),
        interval=interval,
        kernel=kernel,
        window=window,
        dose=dose,
        quirks=quirks,
        syntax="explicit",
        instance_uids=tuple(uid(seed, "image", study, kind, step) for step in range(len(planes))),
        instance_numbers=tuple(numbers),
        missing=missing,
    )
