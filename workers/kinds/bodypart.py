"""Train the body-part regressor on a release, in a program beside the worker; its lesions are located next."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from detection.bodypart.settings import PRESETS
from workers import bodypart
from workers.exported import InUse
from workers.kind import Kind
from workers.models import Job
from workers.params import Params, ReleaseName, Within
from workers.run import Run


@dataclass(frozen=True)
class BodypartParams(Params):
    release: ReleaseName
    preset: str = "small"
    steps: Annotated[int | None, Within(1, 1_000_000)] = None
    """Instead of the preset's."""
    phantom: Annotated[int, Within(0, 1000)] = 0
    """Of a release of phantom patients: so many new ones to measure the accuracy on."""

    def mistakes(self) -> Iterator[tuple[str, str]]:
        if self.preset not in PRESETS:
            yield "preset", f"preset must be one of {', '.join(sorted(PRESETS))}."


def train(params: BodypartParams, run: Run) -> dict[str, Any]:
    """Train the regressor and keep it under its version."""
    release, facts = bodypart.train(
        params.release, run, preset=params.preset, steps=params.steps, phantom=params.phantom
    )
    run.then("locate", {"collection": release.collection.slug, "model": facts["version"]})
    return {name: value for name, value in facts.items() if isinstance(value, str | int | float)}


KIND = Kind(
    "bodypart", "train body-part regressor", Job.Queue.GPU, BodypartParams, train, attempts=10, transient=(InUse,)
)
