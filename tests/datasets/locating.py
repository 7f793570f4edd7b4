"""What stands for a regressor in tests of locating, and a series with a lesion to locate."""

from dataclasses import dataclass, field

import numpy as np

from datasets.models import LocationModel
from tests.factories import make_lesion, make_patient, make_series, make_slice, make_study


@dataclass
class Scores:
    finding: str = "fine"
    sentence: str = "Scores follow the slices from head to feet."
    z: dict[int, float] = field(default_factory=dict)

    def at(self, number):
        return self.z.get(number)

    def single_at(self, number):
        return self.z.get(number)


def scorer(slices, interval):
    """A line from head to feet over the slice numbers, as a regressor would give it."""
    return Scores(z={number: 0.5 + 0.01 * number for number, _ in slices})


def saying(scores):
    """A scorer that looks at all slices and says the same of each series."""

    def score(slices, interval):
        list(slices)
        return scores

    return score


def body(size=128):
    """A square body, columns and rows 24..103, in air."""
    hu = np.full((size, size), -1000.0)
    hu[24:104, 24:104] = 40
    return hu


def model(version="bpr-a"):
    return LocationModel.objects.create(version=version, trained_on="demo-1.0")


def marked(collection):
    """A lesion without a place on the third of six slices."""
    series = make_series(study=make_study(patient=make_patient(collection=collection)), columns=128, rows=128)
    slices = [make_slice(series=series, pixels=body()) for _ in range(6)]
    return make_lesion(slice=slices[2], centre=(63.5, 63.5), x=None, y=None, z=None, location_source="")
