"""What a job is told: what makes no sense is refused in a sentence before anything is queued."""

import math

import pytest

from workers import kinds
from workers.errors import InvalidParams


@pytest.mark.parametrize(
    ("kind", "name", "value", "must"),
    [
        ("train", "batch", -5, "from 1 to 4096"),
        ("train", "batch", 0, "from 1 to 4096"),
        ("train", "epochs", 0, "from 1 to 10000"),
        ("train", "learning_rate", -1, "above 0 and at most 10"),
        ("train", "learning_rate", math.inf, "a finite number"),
        ("train", "learning_rate", 10**400, "a number"),
        ("train", "fraction", math.nan, "a finite number"),
        ("train", "seed", 10**30, f"from {1 - 2**63} to {2**63 - 1}"),
        ("train", "seed", 2**31, f"from 0 to {2**31 - 1}"),
        ("bodypart", "phantom", 10**9, "from 0 to 1000"),
        ("evaluate", "run", 0, f"from 1 to {2**63 - 1}"),
        ("evaluate", "run", 10**30, f"from {1 - 2**63} to {2**63 - 1}"),
        ("release", "release", "../../etc", "the name of a release"),
        ("export", "release", "r\n", "the name of a release"),
        ("import", "release", "A", "the name of a release"),
        ("curate", "collection", "a\0b", "a text without characters that cannot be stored"),
        ("curate", "collection", "a" * 51, "the name of a collection"),
        ("locate", "model", "\ud800", "a text without characters that cannot be stored"),
        ("locate", "model", "m" * 100_000, "a text of at most 1000 characters"),
        ("harvest", "annotations", ["sr", "a\0b"], "a text without characters that cannot be stored"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(kind: str, name: str, value: object, must: str) -> None:
    with pytest.raises(InvalidParams) as refused:
        kinds.get(kind).read({name: value})
    assert refused.value.mistakes[name].startswith(f"{name} must be {must}")


def test_what_lies_on_the_bounds_and_what_was_left_out_is_taken() -> None:
    asked = {"release": "r-1.0_x", "seed": 2**31 - 1, "fraction": 1, "batch": 1, "scale": 0, "learning_rate": 1e-9}
    read = kinds.get("train").read(asked)
    assert (read.batch, read.scale, read.epochs, read.fraction) == (1, 0.0, None, 1.0)
    assert kinds.get("import").read({"table": "/t.csv"}).release == ""
