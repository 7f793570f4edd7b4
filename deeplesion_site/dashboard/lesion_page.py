"""The page of one lesion, and a curator's verdict on it."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from datasets.models import Lesion, Slice
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors import locations, said
from datasets.selectors import reviews as review_selectors
from datasets.selectors.paging import beside
from datasets.services.errors import Refused
from datasets.services.review import latest_review, review_lesion
from deeplesion_site import access
from deeplesion_site.access import Right, needs
from deeplesion_site.api.filters import LesionFilter
from deeplesion_site.dashboard import citation, height_drawing
from deeplesion_site.dashboard.lesion_list import list_query
from deeplesion_site.dashboard.slice_image import window_for, window_of

PRESETS = (
    ("Soft tissue", -175, 275),
    ("Lung", -1500, 500),
    ("Bone", -500, 1300),
    ("Liver", -40, 180),
)


def opening(lesion: Lesion, presets: list[tuple[str, float, float]]) -> int:
    """Which of the windows the page opens with."""
    best = window_for(lesion)
    return next((place for place, (_, *window) in enumerate(presets) if tuple(window) == best), 0)


@require_safe
@needs(Right.READ_PUBLISHED)
def lesion_page(request: HttpRequest, pk: int) -> HttpResponse:
    seen = access.visibility(request.user)
    lesion = lesion_selectors.get(pk, seen)
    if lesion is None:
        raise Http404
    filters = LesionFilter(request.GET, visibility=seen)
    # A link with parameters that make no sense still shows its lesion, between its neighbours of the whole list.
    rows = filters.qs if filters.is_valid() else lesion_selectors.listed(seen)
    previous, following = beside(rows, lesion, filters.order)
    slices = lesion_selectors.context_slices(lesion, seen)
    reviewing = access.may(request.user, Right.REVIEW)
    visits = timeline(lesion_selectors.over_time(lesion.follow_up, seen)) if lesion.follow_up else []
    presets = [("DICOM window", *window_of(lesion.slice)), *PRESETS]
    reviews = list(review_selectors.said_of(lesion)) if reviewing else []
    placed = said.of_lesion(lesion)
    # The model whose place the lesion carries, or else the newest.
    along = next((item.model for item in placed if item.chosen), placed[0].model if placed else "")
    heights = said.of_series(lesion.slice.series, seen, along)[0] if along else None
    context = {
        "lesion": lesion,
        "unplaced": locations.why_unplaced(lesion),
        "previous": previous,
        "following": following,
        "query": list_query(request.GET),
        "viewer": viewer(lesion, slices),
        "presets": presets,
        "opening": opening(lesion, presets),
        "others": lesion_selectors.on_same_slice(lesion, seen),
        "timeline": visits,
        "timeline_points": " ".join(f"{visit.left:.1f},{visit.top:.1f}" for visit in visits),
        "merged": list(lesion.merged_from.all()) or list(lesion.sources.all()),
        "citation": citation.of_lesion(lesion, [item.release for item in lesion_selectors.shown_memberships(lesion)]),
        "reviews": reviews,
        "undoable": set(review_selectors.open_to_undo(reviews)),
        "said": placed,
        "along": heights,
        "heights": height_drawing.draw(heights.slices, lesion.slice.number) if heights else None,
        "seen": latest_review(lesion) if reviewing else 0,
    }
    return render(request, "lesion_page.html", context)


@require_POST
@needs(Right.REVIEW)
def review(request: HttpRequest, pk: int) -> HttpResponse:
    """Record a verdict and go back to the lesion."""
    lesion = lesion_selectors.get(pk, access.visibility(request.user))
    if lesion is None:
        raise Http404
    seen = request.POST.get("seen", "")
    try:
        made = review_lesion(
            lesion=lesion,
            reviewer=request.user,
            verdict=request.POST.get("verdict", ""),
            seen=int(seen) if seen.isdecimal() and len(seen) < 19 else -1,
            note=request.POST.get("note", ""),
        )
        messages.success(request, f"Recorded: {made.get_verdict_display()}.")
    except Refused as error:
        messages.error(request, str(error))
    return redirect(f"{reverse('lesion', args=[pk])}{list_query(request.GET)}#review")


def viewer(lesion: Lesion, slices: list[Slice]) -> dict[str, Any]:
    """What the viewer's script needs; coordinates are 0-based pixel centres."""
    series = lesion.slice.series
    return {
        "slices": [
            {"number": item.number, "url": reverse("slice-png", args=[item.pk]), "stored": item.stored}
            for item in slices
        ],
        "key": next(index for index, item in enumerate(slices) if item.pk == lesion.slice_id),
        "columns": series.columns,
        "rows": series.rows,
        "spacing": [series.spacing_x, series.spacing_y],
        "points": lesion.points,
        "box": lesion.box,
    }


@dataclass(frozen=True, slots=True)
class Visit:
    """One study's measurement of a follow-up set; places are percentages of the little chart."""

    lesion: Lesion
    days: int | None
    change: float | None
    left: float
    top: float

    @property
    def change_in_words(self) -> str:
        """In whole percent with its sign; a dash where there is nothing before."""
        if self.change is None:
            return "–"
        whole = round(self.change)
        return f"{'+' if whole > 0 else '−' if whole < 0 else ''}{abs(whole)} %"


def timeline(found: list[Lesion]) -> list[Visit]:
    """The same lesion over its studies, with the change of the long diameter since the one before, in percent."""
    changes: list[float | None] = [None]
    changes += [100 * (after.long_um - before.long_um) / before.long_um for before, after in pairwise(found)]
    days = [item.slice.series.study.days_since_first for item in found]
    known = [day for day in days if day is not None]
    timed = len(known) == len(found) and len(set(known)) > 1
    span = (max(known) - min(known)) if timed else max(1, len(found) - 1)
    top = max((item.long_um for item in found), default=1)
    visits = []
    for index, (item, day, change) in enumerate(zip(found, days, changes, strict=True)):
        along = day - min(known) if timed and day is not None else index
        visits.append(Visit(item, day, change, 4 + 92 * along / span, 92 - 80 * item.long_um / top))
    return visits
