"""The list of lesions with its filters."""

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
    filters = LesionFilter(request.GET, visibility=seen)
    context: dict[str, Any] = {
        "filter": filters,
        "form": filters.form,
        "chosen_types": _chosen(filters, "type"),
        "chosen_splits": _chosen(filters, "split"),
        "ranges": [
            {"label": label, "unit": unit, "low": filters.form[f"{name}__gte"], "high": filters.form[f"{name}__lte"]}
            for name, label, unit in RANGES
        ],
        "codes": {name: code for code, name in dl_info.TYPES.items()},
        "view": request.GET.get("view") if request.GET.get("view") in VIEWS else VIEWS[0],
        "chips": chips(filters, request.GET),
        "query": list_query(request.GET),
    }
    if filters.is_valid():
        rows = filters.qs
        context["page"] = _page(rows, filters, request.GET.get("cursor", ""), seen)
        context["count"] = _count(rows, seen)
        context["count_limit"] = COUNT_LIMIT
    response = render(request, "parts/lesion_results.html" if is_partial(request) else "lesion_list.html", context)
    response["Vary"] = "HX-Request"
    if is_partial(request):
        response["HX-Push-Url"] = f"{request.path}{_clean(request.GET)}"
    return response


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
    query = given.copy()
    for name in set(query) - set(LesionFilter.base_filters):
        del query[name]
    return _clean(query)


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
