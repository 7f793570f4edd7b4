"""The front door: what the dataset is, where its lesions lie, what they look like."""

from datetime import date
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import conditional_page, require_safe

from datasets import dl_info
from datasets.models import Annotation, LocationModel
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors import locations, regressors, statistics
from datasets.selectors.remembered import remembered
from deeplesion_site import access
from deeplesion_site.access import Right, needs
from deeplesion_site.dashboard import run_pages
from deeplesion_site.dashboard.job_selectors import locating_job
from deeplesion_site.dashboard.scope import Scope, scope_of
from deeplesion_site.dashboard.statistics_charts import sizes, types

MAP_LIMIT = 100_000
_STRIP = 14


@require_safe
@needs(Right.READ_PUBLISHED)
def overview(request: HttpRequest) -> HttpResponse:
    scope = scope_of(request)
    found = _map_card(scope)
    context = {
        **found,
        "charts": [types(found["types"]), sizes(found["sizes"])] if found["headline"].lesions else [],
        **run_pages.newest(request),
        "releases": scope.releases[:3],
        # The strip changes once a day, so that the page does not jump while it is used.
        "strip": lesion_selectors.sample(scope.lesions(), _STRIP, date.today().toordinal()),
    }
    return render(request, "overview.html", context)


def _map_card(scope: Scope) -> dict[str, Any]:
    """What the card of the map needs, and the counts that come with it."""
    found = remembered(f"overview:{scope.key}", scope.visibility, lambda: _summary(scope))
    unlocated = found["headline"].unlocated
    regressor = regressors.newest() if unlocated else None
    return {
        "scope": scope,
        **found,
        "job": locating_job() if unlocated else None,
        "regressor": regressor,
        "untried": regressor is not None and _untried(scope, regressor),
        "legend": [(code, name) for code, name in dl_info.TYPES.items() if found["types"][code]],
        "map_limit": MAP_LIMIT,
    }


def _untried(scope: Scope, regressor: LocationModel) -> bool:
    """Whether the regressor may yet place some of the lesions that have no place."""
    name = f"untried:{regressor.version}:{scope.key}"
    return remembered(name, scope.visibility, lambda: locations.untried(scope.lesions(), regressor))


def _summary(scope: Scope) -> dict[str, Any]:
    rows = scope.lesions()
    sources = locations.sources(rows)
    counted = scope.counted if len(scope.counted) > 1 else []
    return {
        "headline": statistics.headline(rows),
        "types": statistics.types(rows),
        "sizes": statistics.sizes_by_type(rows),
        "parts": statistics.parts(rows, Annotation.objects.none(), counted) if counted else [],
        "sources": sources,
        # As a release lists them.
        "shown_sources": sorted({source.version for source in sources}),
        "computed": any(not source.published for source in sources),
    }


@require_safe
@needs(Right.READ_PUBLISHED)
def locating(request: HttpRequest) -> HttpResponse:
    """How far the locations are; once that is over, the whole card, with its map, takes the place of the one there."""
    context = _map_card(scope_of(request))
    if context["job"] is not None and not context["job"].finished:
        return render(request, "parts/locating.html", context)
    response = render(request, "parts/map_card.html", context)
    response["HX-Retarget"], response["HX-Reswap"] = "#map-card", "outerHTML"
    return response


@require_safe
@needs(Right.READ_PUBLISHED)
@conditional_page
def map_columns(request: HttpRequest) -> HttpResponse:
    """The lesions of the map as typed arrays; see `locations.map_points` for their layout."""
    scope = scope_of(request)
    name = f"map:{scope.key}"
    content = remembered(name, scope.visibility, lambda: locations.map_points(scope.lesions(), MAP_LIMIT))
    # Asked for at every visit, sent only where it differs from what the browser has: its tag is made of the content.
    headers = {"Cache-Control": "private, no-cache"}
    return HttpResponse(content, content_type="application/octet-stream", headers=headers)


@require_safe
@needs(Right.READ_PUBLISHED)
def lesion_card(request: HttpRequest, pk: int) -> HttpResponse:
    """A lesion in short, for the map."""
    lesion = lesion_selectors.get(pk, access.visibility(request.user))
    if lesion is None:
        raise Http404
    response = render(request, "parts/lesion_card.html", {"lesion": lesion})
    # It tells the place, which another model may have changed.
    response["Cache-Control"] = "private, no-cache"
    return response
