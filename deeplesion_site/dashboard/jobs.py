"""Long work: what runs, what ran, and what came of it."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from deeplesion_site.access import Right, needs
from deeplesion_site.dashboard import job_selectors as selectors
from deeplesion_site.dashboard.partial import is_partial

_LIMIT = 100


@require_safe
@needs(Right.SEE_JOBS)
def job_list(request: HttpRequest) -> HttpResponse:
    jobs = selectors.newest(_LIMIT)
    context = {"jobs": jobs, "unfinished": any(not job.finished for job in jobs), "limit": _LIMIT}
    return render(request, "parts/job_rows.html" if is_partial(request) else "job_list.html", context)


@require_safe
@needs(Right.SEE_JOBS)
def job_page(request: HttpRequest, pk: int) -> HttpResponse:
    job = selectors.get(pk)
    if job is None:
        raise Http404
    context = {"job": job, "tables": result_tables(job.result), "params": sorted(job.params.items())}
    return render(request, "parts/job_state.html" if is_partial(request) else "job_page.html", context)


def result_tables(result: dict[str, Any]) -> list[tuple[str, list[str], list[list[Any]]]]:
    """Lay out what a job reports: title, head and rows of one table for each part."""
    plain = [[_words(key), value] for key, value in result.items() if not isinstance(value, dict | list)]
    tables: list[tuple[str, list[str], list[list[Any]]]] = []
    if plain:
        tables.append(("Summary", ["what", "value"], plain))
    for key, value in result.items():
        if isinstance(value, dict) and value:
            rows = [[_words(name), number] for name, number in value.items()]
            tables.append((_words(key).capitalize(), ["what", "value"], rows))
        elif isinstance(value, list) and value:
            tables.append(_list_table(key, value))
    return tables


def _list_table(key: str, items: list[Any]) -> tuple[str, list[str], list[list[Any]]]:
    title = _words(key).capitalize()
    if all(isinstance(item, dict) for item in items):
        head = list(dict.fromkeys(name for item in items for name in item))
        return title, list(map(_words, head)), [[item.get(name) for name in head] for item in items]
    return title, ["entry"], [[item] for item in items]


def _words(name: Any) -> str:
    return str(name).replace("_", " ")
