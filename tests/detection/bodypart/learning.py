"""A training that is over in seconds: what it is told, and the made-up bodies that it learns from."""

import dataclasses
from functools import partial

from detection.bodypart.settings import PRESETS
from detection.bodypart.training import train

learn = partial(train, device="cpu")
"""To the last bit the same each time, which a GPU does not promise."""
TINY = dataclasses.replace(PRESETS["small"], size=32, channels=(8, 16, 32), volumes=8, steps=120)
SERIES = {
    f"{patient:06d}_01_01": [*range(patient % 7, 18 + patient % 7), *range(24, 41 - patient % 5)]
    for patient in range(1, 15)
}
