"""How many planted mistakes the curation flags, and how many good marks with them, on phantom hospitals."""

from collections import Counter
from collections.abc import Iterable, Iterator

from benchmarks.result import Result
from datasets.geometry import recist, region
from datasets.geometry.surroundings import surroundings
from datasets.models import Lesion
from datasets.phantom import plan, radiologist, render
from datasets.services.measure import measured
from datasets.services.noise import noise_reasons
from datasets.thresholds import Thresholds

SEEDS = (1, 2, 3, 4)
PATIENTS = 24
PLANTED_AT_LEAST = 0.90
GOOD_AT_MOST = 0.03


def run() -> Iterator[Result]:
    """Judge every axial measurement of several hospitals by its own key slice, as a harvest does."""
    counts = sum((flagged(seed, range(1, PATIENTS + 1)) for seed in SEEDS), Counter[tuple[bool, bool]]())
    planted, good = (counts[bad, False] + counts[bad, True] for bad in (True, False))
    of = f"flagged, {len(SEEDS)} hospitals of {PATIENTS} patients"
    yield Result(
        "noise: planted mistakes", counts[True, True] / planted, f"of {planted} {of}", at_least=PLANTED_AT_LEAST
    )
    yield Result("noise: good marks", counts[False, True] / good, f"of {good} {of}", at_most=GOOD_AT_MOST)


def flagged(seed: int, patients: Iterable[int]) -> Counter[tuple[bool, bool]]:
    """Count the measurements of one hospital by whether each is a planted mistake and whether it is flagged.

    `patients` are indices of the hospital's patients.
    """
    counts: Counter[tuple[bool, bool]] = Counter()
    limits = Thresholds()
    for index in patients:
        patient, anatomy = plan.patient(seed, index)
        for mark in radiologist.read(patient):
            if mark.expected not in ("lesion", "duplicate", "noise"):
                continue
            study = patient.studies[mark.study - 1]
            series = study.series[mark.series]
            hu = render.of_series(patient, anatomy, study, series, mark.slice)
            spacing = series.planes[mark.slice].spacing
            inside = region.statistics(hu, recist.bounding_box(mark.points))
            lesion = Lesion(
                **measured(mark.points, (spacing, spacing), inside, surroundings(hu, mark.points)),
            )
            reasons = noise_reasons(lesion, (spacing, spacing), limits)
            counts[mark.expected == "noise", bool(reasons)] += 1
    return counts
