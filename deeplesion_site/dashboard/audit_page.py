"""The audit log, for administrators: what was done, by whom, when."""

import csv
from collections.abc import Iterator
from typing import Any

import django_filters
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from deeplesion_site import csv_cells
from deeplesion_site.access import Right, needs
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import Action, AuditEntry

PAGE = 50


class AuditFilter(django_filters.FilterSet):
    action = django_filters.ChoiceFilter(choices=Action.choices, empty_label="everything")
    by = django_filters.CharFilter(field_name="actor__username", lookup_expr="iexact", max_length=150)
    since = django_filters.DateFilter(field_name="at", lookup_expr="date__gte")
    until = django_filters.DateFilter(field_name="at", lookup_expr="date__lte")

    class Meta:
        model = AuditEntry
        fields: tuple[str, ...] = ()


@require_safe
@needs(Right.READ_AUDIT_LOG)
def audit_page(request: HttpRequest) -> HttpResponse:
    filters = AuditFilter(request.GET, audit.entries())
    page = Paginator(filters.qs if filters.is_valid() else audit.entries().none(), PAGE).get_page(
        request.GET.get("page")
    )
    query = request.GET.copy()
    query.pop("page", None)
    context = {"page": page, "filters": filters, "query": query.urlencode(), "actions": Action.choices}
    return render(request, "audit_page.html", context)


@require_safe
@needs(Right.READ_AUDIT_LOG)
def audit_csv(request: HttpRequest) -> HttpResponseBase:
    """The whole log, or what passes the filters, streamed."""
    filters = AuditFilter(request.GET, audit.entries())
    rows = filters.qs if filters.is_valid() else audit.entries().none()
    response = StreamingHttpResponse(_lines(rows.iterator(2000)), content_type="text/csv")
    response["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return response


class _Echo:
    """What `csv` writes to: it gives each line back."""

    def write(self, line: str) -> str:
        return line


def _lines(entries: Iterator[AuditEntry]) -> Iterator[str]:
    writer: Any = csv.writer(_Echo())
    yield writer.writerow(["at", "by", "action", "subject", "details"])
    for entry in entries:
        name = entry.actor.get_username() if entry.actor else ""
        typed = (csv_cells.text(name), entry.action, csv_cells.text(entry.subject))
        yield writer.writerow([entry.at.isoformat(), *typed, entry.details or ""])
