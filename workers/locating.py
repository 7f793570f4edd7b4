"""What new lesions want: a place by the regressor that places their collection, in a job of its own."""

from typing import Any

from datasets.models import Collection, Lesion
from datasets.selectors import lesions, locations, regressors


def wanted(collection: str) -> dict[str, Any] | None:
    """Parameters of the `locate` job that a collection waits for; None where nothing waits, or no regressor is there.

    The regressor is the one chosen for the collection, else the newest. What it could not place does not wait for it.
    """
    found = Collection.objects.filter(slug=collection).select_related("location_model").first()
    if found is None:
        return None
    model = found.location_model or regressors.newest()
    if model is None or not locations.untried(lesions.in_collection(Lesion.objects.order_by(), found), model):
        return None
    return {"collection": found.slug, "model": model.version}


def told(result: dict[str, Any]) -> str:
    """The result of locating in a line."""
    found = [f"{count} series {finding}" for finding, count in result.items() if finding != "lesions"]
    return f"{result.get('lesions', 0)} lesions located; {', '.join(found) or 'nothing new'}"
