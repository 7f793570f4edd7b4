"""The body-part regressor: what it learned from, how it learned, and what it makes of slices."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets.models import LocationModel
from datasets.selectors import locations, regressors, releases
from datasets.selectors.remembered import remembered
from datasets.selectors.visibility import Visibility
from deeplesion_site import access
from deeplesion_site.access import Right, needs
from deeplesion_site.dashboard import location_charts
from deeplesion_site.dashboard.job_selectors import locating_job
from deeplesion_site.dashboard.partial import is_partial
from detection.bodypart.errors import NotAModel
from detection.bodypart.record import learning_curve
from workers.bodypart import folder_of

CURVES, PATIENTS, ODD = 6, 5, 20
FEW = 40
"""Patients to learn from below which the page says that more teach more."""


@require_safe
@needs(Right.READ_PUBLISHED)
def bodypart(request: HttpRequest, version: str = "") -> HttpResponse:
    """The newest model, or the one that is named."""
    seen = access.visibility(request.user)
    models = regressors.models(seen)
    model = next((item for item in models if version in ("", item.version)), None)
    if version and model is None:
        raise Http404
    context: dict[str, Any] = {
        "models": models,
        "model": model,
        "everything": seen is Visibility.EVERYTHING,
        "job": None if model else locating_job(),
    }
    if is_partial(request):
        # It asks while none has learned; with the first one there is another page.
        response = render(request, "parts/regressor_learning.html", context)
        if model is not None:
            response["HX-Refresh"] = "true"
        return response
    if model is not None:
        context |= remembered(f"bodypart:{model.version}", seen, lambda: _shown(model, seen))
        context |= {"figures": figures(model.facts), "phantom": model.facts.get("phantom")}
        context["few"] = model.facts.get("patients", FEW) < FEW
        context["charts"] = [
            *_learning(model),
            *([location_charts.along(context["curves"])] if context["curves"] else []),
        ]
    return render(request, "bodypart.html", context)


def _shown(model: LocationModel, seen: Visibility) -> dict[str, Any]:
    return {
        "release": releases.get(model.trained_on, seen),
        "findings": regressors.findings(model, seen),
        "odd": regressors.odd_series(model, seen, ODD),
        "curves": regressors.curves(model, seen, CURVES),
        "strip": regressors.strip(model, seen, PATIENTS),
        "differences": locations.differences(model, seen),
    }


def _learning(model: LocationModel) -> list[location_charts.Chart]:
    try:
        return [location_charts.learning(learning_curve(folder_of(model.version)))]
    except NotAModel:
        return []


SCALES = {
    "locations": "from the places that {lesions} lesions of the release came with",
    "types": "from the types of {lesions} lesions and the published median height of each type",
    "median": "from the median of {lesions} lesions alone, set to the published one: right only for a release "
    "whose mix of regions is like DeepLesion’s",
}


def figures(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What the record of a training says, in words."""
    known, anchor = facts.get("known"), facts.get("anchor")
    found = [
        ("Preset", str(facts["preset"]) if "preset" in facts else ""),
        ("Learned from", _learned_from(facts) if "steps" in facts else ""),
        ("Took", f"{facts['seconds']:,.0f} s" if "seconds" in facts else ""),
        ("Knows", f"z {known[0]:.2f} to {known[1]:.2f}" if known else ""),
        ("Zero and unit", SCALES[anchor["method"]].format(lesions=anchor["lesions"]) if anchor else ""),
    ]
    return [(name, text) for name, text in found if text]


def _learned_from(facts: dict[str, Any]) -> str:
    patients = f" of {facts['patients']:,} patients" if "patients" in facts else ""
    return f"{facts['series']:,} series{patients} in {facts['steps']:,} steps"
