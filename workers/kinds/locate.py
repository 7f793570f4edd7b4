"""Locate the lesions of a collection in the body with a trained body-part regressor."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from datasets.models import Collection, LocationModel
from datasets.services.errors import Refused
from datasets.services.locate import locate as locate_lesions
from detection.bodypart.errors import NotAModel, OtherVersion
from workers.bodypart import MODEL_FILE, folder_of
from workers.kind import Kind
from workers.loading import loaded
from workers.models import Job
from workers.params import CollectionName, Params
from workers.run import Run

if TYPE_CHECKING:
    from detection.bodypart.model import Model


class NothingToLocate(Refused):
    """No such collection or model."""


@dataclass(frozen=True)
class LocateParams(Params):
    collection: CollectionName
    model: str


def locate(params: LocateParams, run: Run) -> dict[str, Any]:
    """Locate what this model has not located yet, series by series."""
    collection = Collection.objects.filter(slug=params.collection).first()
    record = LocationModel.objects.filter(version=params.model).first()
    if collection is None or record is None:
        raise NothingToLocate(f"there is no collection {params.collection} or no model {params.model}")
    model = loaded(partial(_model, record), run.check_cancelled)
    score = partial(model.score, version=record.version)
    progress = partial(run.progress, unit="series")
    return dict(
        locate_lesions(
            collection=collection,
            model=record,
            score=score,
            progress=progress,
            check=run.check_cancelled,
            fence=run.fence,
        )
    )


def _model(record: LocationModel) -> "Model":
    # Torch is large: a worker that never locates never loads it.
    from detection.bodypart.model import load_model

    path = folder_of(record.version) / MODEL_FILE
    file = f"the file of the model {record.version}"
    where = f"bodypart/{record.version}/{MODEL_FILE} in the data directory"
    try:
        return load_model(path)
    except OtherVersion as error:
        raise OtherVersion(f"{file} ({where}) was written by another version: {error}") from error
    except NotAModel as error:
        wrong = f"({where}) is damaged or no regressor: {error};" if path.exists() else f"is missing, {where}:"
        raise NotAModel(f"{file} {wrong} restore it, or train another model") from error


KIND = Kind("locate", "locate lesions", Job.Queue.CPU, LocateParams, locate)
