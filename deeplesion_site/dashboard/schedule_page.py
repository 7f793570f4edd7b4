"""Harvests that come again: which there are, when they ran and run next; plan one, let one rest."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from deeplesion_site import schedules
from deeplesion_site.access import Right, needs
from workers.errors import InvalidParams
from workers.models import HarvestSchedule
from workers.schedules import BadSchedule, overdue

EVERY = ((1, "hour"), (6, "6 hours"), (24, "day"), (168, "week"))
ANNOTATIONS = (("", "any"), ("SR", "structured reports"), ("PR", "presentation states"))
TEXTS = ("source", "collection", "title", "first_date", "context")


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.RUN_JOBS)
def schedule_page(request: HttpRequest) -> HttpResponse:
    """The list and the form; a POST plans one."""
    given = {name: request.POST.get(name, "").strip() for name in (*TEXTS, "annotations", "every", "first")}
    mistakes: list[str] = []
    if request.method == "POST":
        mistakes = _plan(request, given)
        if not mistakes:
            messages.success(request, "The harvest is planned.")
            return redirect("schedules")
    else:
        given |= {"collection": "hospital", "context": "30mm", "every": "24"}
    found = HarvestSchedule.objects.select_related("last_job", "owner").order_by("-pk")
    late = set(overdue().values_list("pk", flat=True))
    context: dict[str, Any] = {"schedules": found, "late": late, "given": given, "mistakes": mistakes}
    context |= {"every": [(str(hours), words) for hours, words in EVERY], "annotations": ANNOTATIONS}
    return render(request, "schedule_page.html", context, status=422 if mistakes else 200)


@require_POST
@needs(Right.RUN_JOBS)
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    on = request.POST.get("on") == "1"
    try:
        schedule = schedules.switch(pk=pk, on=on, by=request.user)
    except HarvestSchedule.DoesNotExist:
        raise Http404 from None
    messages.success(request, f"Schedule {schedule.pk} {'runs' if on else 'rests'}.")
    return redirect("schedules")


def _plan(request: HttpRequest, given: dict[str, str]) -> list[str]:
    """Plan what is given; returns a sentence for everything that is wrong with it."""
    params: dict[str, Any] = {name: given[name] for name in TEXTS if given[name]}
    if given["annotations"]:
        params["annotations"] = [given["annotations"]]
    try:
        first = datetime.fromisoformat(given["first"]).replace(tzinfo=UTC) if given["first"] else None
        hours = int(given["every"])
    except ValueError:
        return [
            "The first run must be a day and a time, as in 2024-01-31T02:00, and the interval one of those offered."
        ]
    try:
        schedules.plan(params=params, every_hours=hours, first=first, by=request.user)
    except InvalidParams as error:
        return list(error.mistakes.values())
    except BadSchedule as error:
        return [f"It cannot be planned: {error}."]
    return []
