"""The list of lesions with its filters."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets import dl_info
from datasets.models import Lesion
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors.paging import BadCursor, Page, page
from datasets.selectors.remembered import remembered
from datasets.selectors.visibility import Visibility
from deeplesion_site import access
from deeplesion_site.access import Right, needs
from deeplesion_site.api.filters import LesionFilter
from deeplesion_site.dashboard.partial import is_partial

PAGE_SIZE = 48
COUNT_LIMIT = 200_000
VIEWS = ("grid", "table")
_OWN = ("view", "cursor")
RANGES = (
    ("long_mm", "Long diameter", "mm"),
    ("short_mm", "Short diameter", "mm"),
    ("age", "Age", "years"),
    ("slice_interval", "Slice interval", "mm"),
    ("x", "x", "0 right, 1 left of the patient"),
    ("y", "y", "0 front, 1 back"),
    ("z", "z", "0 head, 1 feet"),
)


@require_safe
@needs(Right.READ_PUBLISHED)
def lesion_list(request: HttpRequest) -> HttpResponse:
    seen = access.visibility(request.user)
    asked = LesionFilter(request.GET, visibility=seen)
    left_out = faults(asked, request.GET)
    given = without(request.GET, [fault.name for fault in left_out])
    filters = LesionFilter(given, visibility=seen) if left_out else asked
    rows = filters.qs
    collections = list(asked.form.fields["collection"].choices)
    context: dict[str, Any] = {
        "form": asked.form,
        "collections": collections,
        "mixed": len(collections) > 2 and not (given.get("collection") or given.get("release")),
        "left_out": left_out,
        "clean": _clean(given) or "?",
        "chosen_types": _chosen(filters, "type"),
        "chosen_splits": _chosen(filters, "split"),
        "ranges": [
            {"label": label, "unit": unit, "low": asked.form[f"{name}__gte"], "high": asked.form[f"{name}__lte"]}
            for name, label, unit in RANGES
        ],
        "codes": {name: code for code, name in dl_info.TYPES.items()},
        "view": request.GET.get("view") if request.GET.get("view") in VIEWS else VIEWS[0],
        "chips": chips(filters, given),
        "query": list_query(given),
        "page": _page(rows, filters, given.get("cursor", ""), seen),
        "count": _count(rows, seen),
        "count_limit": COUNT_LIMIT,
    }
    response = render(request, "parts/lesion_results.html" if is_partial(request) else "lesion_list.html", context)
    response["Vary"] = "HX-Request"
    if is_partial(request):
        response["HX-Push-Url"] = f"{request.path}{_clean(request.GET)}"
    return response


@dataclass(frozen=True, slots=True)
class Fault:
    """A parameter of the address that cannot be used, and why."""

    name: str
    label: str
    reason: str


def faults(filters: LesionFilter, given: QueryDict) -> list[Fault]:
    """What of an address the list leaves out: values that make no sense, and filters that are not there."""
    known = {*LesionFilter.base_filters, *_OWN}
    bad = [
        Fault(name, str(filters.form.fields[name].label), " ".join(map(str, reasons)))
        for name, reasons in filters.form.errors.items()
    ]
    return bad + [Fault(name, name[:40], "the list has no such filter.") for name in given if name not in known]


def without(given: QueryDict, names: list[str]) -> QueryDict:
    """The same parameters but for some."""
    query = given.copy()
    for name in names:
        query.pop(name, None)
    return query


def _chosen(filters: LesionFilter, name: str) -> list[str]:
    """Names that are ticked, whichever way they were written."""
    field = filters.form.fields[name]
    return list(field.to_python(filters.form[name].data or []))


def _page(rows: QuerySet[Lesion], filters: LesionFilter, cursor: str, seen: Visibility) -> Page[Lesion]:
    rows = lesion_selectors.with_place(rows, seen)
    try:
        return page(rows, order=filters.order, size=PAGE_SIZE, cursor=cursor)
    except BadCursor:
        # A link from another order: the first page is what its reader wants.
        return page(rows, order=filters.order, size=PAGE_SIZE)


def _count(rows: QuerySet[Lesion], seen: Visibility) -> int:
    key = sha256(str(rows.order_by().values("pk").query).encode()).hexdigest()
    return remembered(f"count:{key}", seen, lambda: lesion_selectors.count(rows, COUNT_LIMIT + 1))


def list_query(given: QueryDict) -> str:
    """The filters and the order, to carry from the list to a lesion's page."""
    return _clean(without(given, [name for name in given if name not in LesionFilter.base_filters]))


def _clean(given: QueryDict) -> str:
    query = given.copy()
    for name, values in list(query.lists()):
        kept = [value for value in values if value]
        if kept:
            query.setlist(name, kept)
        else:
            del query[name]
    return f"?{query.urlencode()}" if query else ""


def chips(filters: LesionFilter, given: QueryDict) -> list[tuple[str, str, str]]:
    """Filters in use: label, value, and the query string without it."""
    found = []
    for name, item in filters.filters.items():
        values = [value for value in given.getlist(name) if value]
        if name == "ordering":
            continue
        for value in values:
            query = given.copy()
            query.setlist(name, [other for other in values if other != value])
            query.pop("cursor", None)
            found.append((str(item.label), value, _clean(query) or "?"))
    return found
