"""The report of a harvest, or of all harvests of a collection: as a page, as JSON and as CSV."""

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from datasets.models import Collection
from datasets.selectors import harvest_report as selectors
from datasets.selectors import visibility as visible
from datasets.selectors.harvest_problems import Named, named
from deeplesion_site import access, csv_cells
from deeplesion_site.access import Right, needs
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import Action
from deeplesion_site.dashboard import job_selectors
from workers.kinds import harvest
from workers.models import Job

FORMATS = ("json", "csv")
_COUNTED = (
    "studies", "studies_with_bookmarks", "unchanged", "annotations", "known", "lesions", "slices", "changed_series",
)  # fmt: skip


@require_safe
@needs(Right.READ_PUBLISHED)
def of_collection(request: HttpRequest, slug: str, form: str = "") -> HttpResponse:
    """Everything that was ever harvested into a collection, for those who see it unpublished."""
    if not access.may(request.user, Right.READ_UNPUBLISHED):
        raise Http404
    collection = visible.collections(access.visibility(request.user)).filter(slug=slug).first()
    if collection is None or collection.kind != Collection.Kind.HOSPITAL:
        raise Http404
    every, kept = selectors.lesions_of(collection)
    return _answer(
        request,
        form,
        title=f"Harvested into {collection.title}",
        name=f"harvest-{collection.slug}",
        summary={"annotations": every, "lesions": kept},
        tables=selectors.of_collection(collection),
        address=("collection-report", [slug]),
    )


@require_safe
@needs(Right.SEE_JOBS)
def of_job(request: HttpRequest, pk: int, form: str = "") -> HttpResponse:
    """What one harvest found anew, and what went wrong: studies by their place in it, never by name."""
    job = job_selectors.get(pk)
    if job is None or job.kind != harvest.KIND.name:
        raise Http404
    found: dict[str, Any] = job.result
    return _answer(
        request,
        form,
        title=f"Report of harvest {job.pk}",
        name=f"harvest-{job.pk}",
        summary={name: found[name] for name in _COUNTED if name in found},
        tables=selectors.tables({part: found.get(part, {}) for part in selectors.PARTS}),
        errors=named(found.get("errors", {}), found.get("failed_studies", {})),
        noted=named(found.get("noted", {}), found.get("noted_studies", {})),
        address=("job-report", [pk]),
        job=job,
    )


def _answer(
    request: HttpRequest,
    form: str,
    *,
    title: str,
    name: str,
    summary: dict[str, int],
    tables: list[selectors.Table],
    address: tuple[str, list[Any]],
    errors: Sequence[Named] = (),
    noted: Sequence[Named] = (),
    job: Job | None = None,
) -> HttpResponse:
    if form == "json":
        answer: HttpResponse = JsonResponse(
            {
                "title": title,
                **summary,
                **selectors.as_json(tables),
                "errors": {each.name: each.as_json() for each in errors},
                "noted": {each.name: each.as_json() for each in noted},
            },
            json_dumps_params={"indent": 1, "ensure_ascii": False},
        )
    elif form == "csv":
        table = _csv(summary, tables, {"errors": errors, "noted": noted})
        answer = HttpResponse(table, content_type="text/csv; charset=utf-8")
    else:
        route, arguments = address
        context = {
            "title": title,
            "summary": [(key.replace("_", " "), value) for key, value in summary.items()],
            "tables": tables,
            "problems": [("errors", "What went wrong", errors), ("noted", "Taken although something is odd", noted)],
            "job": job,
            "downloads": [(each, reverse(route, args=[*arguments, each])) for each in FORMATS],
        }
        return render(request, "harvest_report.html", context)
    audit.record(request.user, Action.DOWNLOADED, f"{name}.{form}")
    answer["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return answer


def _csv(summary: dict[str, int], tables: list[selectors.Table], problems: dict[str, Sequence[Named]]) -> str:
    """One row per count: what is counted, its key, in words, how many, and the places of its studies."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["table", "key", "name", "count", "studies"])
    writer.writerows(["summary", key, key.replace("_", " "), count, ""] for key, count in summary.items())
    for table in tables:
        # A modality is what a file says it is.
        writer.writerows(
            [table.name, csv_cells.text(key), csv_cells.text(words), count, ""] for key, words, count in table.rows
        )
    for part, found in problems.items():
        writer.writerows([part, each.name, each.meaning, each.count, _places(each)] for each in found)
    return out.getvalue()


def _places(problem: Named) -> str:
    return " ".join(map(str, problem.studies))
