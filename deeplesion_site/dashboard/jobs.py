"""Long work: what runs, what ran, and what came of it."""

from typing import Any

import django_filters
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets.selectors.harvest_report import PARTS
from deeplesion_site.access import Right, needs
from deeplesion_site.dashboard import job_selectors as selectors
from deeplesion_site.dashboard import job_words
from deeplesion_site.dashboard.partial import is_partial
from workers import kinds
from workers.kinds import harvest
from workers.models import Job

REPORTED = {*PARTS, "errors", "failed_studies", "noted", "noted_studies"}
PAGE = 50
EVENTS = 200
PAUSES = ((15, 2), (39, 5))
"""How many refreshes come before a page asks less often, and the seconds between them; later `LAST_PAUSE`."""
LAST_PAUSE = 15


class JobFilter(django_filters.FilterSet):
    state = django_filters.ChoiceFilter(choices=Job.State.choices)
    kind = django_filters.ChoiceFilter(choices=[(kind.name, kind.title) for kind in kinds.ALL])
    owner = django_filters.CharFilter(field_name="owner__username", lookup_expr="iexact", max_length=150)

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()


@require_safe
@needs(Right.SEE_JOBS)
def job_list(request: HttpRequest) -> HttpResponse:
    filters = JobFilter(request.GET, selectors.listed())
    rows = filters.qs if filters.is_valid() else selectors.listed().none()
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    chosen = {name: value for name in filters.base_filters if (value := request.GET.get(name))}
    query = request.GET.copy()
    for name in list(query):
        if name not in chosen:
            del query[name]
    context = {
        "page": page,
        "unfinished": any(job.unfinished for job in page.object_list),
        "filters": filters,
        "chosen": chosen,
        "query": query.urlencode(),
        **_refreshes(request),
    }
    return render(request, "parts/job_rows.html" if is_partial(request) else "job_list.html", context)


@require_safe
@needs(Right.SEE_JOBS)
def job_page(request: HttpRequest, pk: int) -> HttpResponse:
    job = selectors.get(pk)
    if job is None:
        raise Http404
    events = selectors.events(job, EVENTS)
    context = {
        "job": job,
        "facts": result_facts(job),
        "tables": result_tables(job),
        "asked": job_words.asked(job),
        "produced": job_words.produced(job),
        "events": events,
        "interrupted": job.state == Job.State.QUEUED and selectors.between_attempts(events),
        "event_limit": EVENTS,
        "log": selectors.log_tail(job),
        **_refreshes(request),
    }
    return render(request, "parts/job_state.html" if is_partial(request) else "job_page.html", context)


def _refreshes(request: HttpRequest) -> dict[str, int]:
    """How often the page was refreshed by itself, this time included, and when to do it next."""
    given = request.GET.get("refreshed", "")
    before = int(given) if given.isdecimal() and len(given) < 6 else 0
    return {"refreshed": before + 1, "pause": pause(before)}


def pause(refreshed: int) -> int:
    """Seconds until the next refresh: 2, then 5, then 15."""
    return next((seconds for count, seconds in PAUSES if refreshed < count), LAST_PAUSE)


def result_facts(job: Job) -> list[tuple[str, list[tuple[str, Any]]]]:
    """What a job reports by name: title, names and values of each part; without what the report of a harvest has."""
    said = {key: value for key, value in job.result.items() if job.kind != harvest.KIND.name or key not in REPORTED}
    plain = [(_words(key), _said(value)) for key, value in said.items() if not isinstance(value, dict | list)]
    parts = [
        (_words(key).capitalize(), [(_words(name), _said(number)) for name, number in value.items()])
        for key, value in said.items()
        if isinstance(value, dict) and value
    ]
    return [*([("Summary", plain)] if plain else []), *parts]


def result_tables(job: Job) -> list[tuple[str, list[str], list[list[Any]]]]:
    """What a job reports in lists: title, head and rows of each."""
    return [_list_table(key, value) for key, value in job.result.items() if isinstance(value, list) and value]


def _list_table(key: str, items: list[Any]) -> tuple[str, list[str], list[list[Any]]]:
    title = _words(key).capitalize()
    if all(isinstance(item, dict) for item in items):
        head = list(dict.fromkeys(name for item in items for name in item))
        return title, list(map(_words, head)), [[item.get(name) for name in head] for item in items]
    return title, ["entry"], [[item] for item in items]


def _said(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _words(name: Any) -> str:
    return str(name).replace("_", " ")
