"""The dataset in figures: those of the paper, drawn from what is here."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets.models import Collection
from datasets.selectors import annotations, statistics
from datasets.selectors.remembered import remembered
from deeplesion_site.access import Right, needs
from deeplesion_site.dashboard import charts, statistics_charts
from deeplesion_site.dashboard.scope import Scope, scope_of


@require_safe
@needs(Right.READ_PUBLISHED)
def statistics_page(request: HttpRequest) -> HttpResponse:
    scope = scope_of(request)
    found = remembered(f"statistics:{scope.key}", scope.visibility, lambda: _collect(scope))
    source = scope.source
    context = {
        "scope": scope,
        "lesion_charts": _lesion_charts(found) if found["headline"].lesions else [],
        "annotation_charts": _annotation_charts(found) if found["years"] or found["modalities"] else [],
        "mixed": len(found["parts"]) > 1,
        "unmarked": [part.collection.title for part in found["parts"] if not part.marks],
        "imported": source is not None and source.kind == Collection.Kind.PUBLISHED,
        **found,
    }
    return render(request, "statistics.html", context)


def _collect(scope: Scope) -> dict[str, Any]:
    rows = scope.lesions()
    marks = annotations.seen(scope.visibility, scope.source)
    return {
        "headline": statistics.headline(rows),
        "types": statistics.types(rows),
        "sizes": statistics.sizes_by_type(rows),
        "boxes": statistics.box_sizes(rows),
        "intervals": statistics.intervals(rows),
        "ages": statistics.ages(rows),
        "median_long": statistics.median(rows, "long_um"),
        "median_short": statistics.median(rows, "short_um"),
        "years": annotations.studies_per_year(marks),
        "modalities": annotations.modalities(marks),
        "tools": annotations.tools(marks),
        "reasons": annotations.reasons(marks),
        "parts": statistics.parts(rows, marks, scope.counted) if len(scope.counted) > 1 else [],
    }


def _lesion_charts(found: dict[str, Any]) -> list[charts.Chart]:
    return [
        statistics_charts.types(found["types"]),
        statistics_charts.intervals(found["intervals"]),
        statistics_charts.sizes_by_type(found["sizes"]),
        statistics_charts.box_sizes(found["boxes"]),
        statistics_charts.ages(found["ages"]),
    ]


def _annotation_charts(found: dict[str, Any]) -> list[charts.Chart]:
    return [
        charts.bars(
            "years",
            "Studies with bookmarks per year",
            "Studies in which a radiologist bookmarked anything, on images of any modality.",
            every_year(found["years"]),
            names="year",
            values="studies",
        ),
        statistics_charts.modalities(found["modalities"]),
        statistics_charts.tools(found["tools"]),
        charts.bars(
            "reasons",
            "Why bookmarks gave no lesion",
            "The first reason that was found for each.",
            found["reasons"],
            names="reason",
            values="bookmarks",
            horizontal=True,
            shares=True,
            height="middle",
        ),
    ]


def every_year(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Years without any bookmark stand between the others too."""
    known = dict(found)
    return [(year, known.get(year, 0)) for year in range(min(known), max(known) + 1)] if known else []
