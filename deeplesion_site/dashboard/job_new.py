"""Start a job: choose a kind, fill in its form, see what it will cost, start it."""

from typing import Any
from uuid import uuid4

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from deeplesion_site import jobs
from deeplesion_site.access import Right, needs
from deeplesion_site.cost import cost
from deeplesion_site.dashboard.job_choices import ABOUT
from deeplesion_site.dashboard.job_forms import Form, form_of
from workers import kinds
from workers.errors import InvalidParams, JobRefused

LONGEST_KEY = 64


@require_safe
@needs(Right.RUN_JOBS)
def choose(request: HttpRequest) -> HttpResponse:
    """What can be started, a sentence each."""
    return render(request, "job_choose.html", {"kinds": [(kind, ABOUT.get(kind.name, "")) for kind in kinds.ALL]})


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.RUN_JOBS)
def new(request: HttpRequest, kind: str) -> HttpResponse:
    """The form; a POST checks it and tells the cost, and one more starts the job."""
    if kind not in kinds.BY_NAME:
        raise Http404
    form = form_of(kinds.get(kind))
    if request.method != "POST":
        form.suggest(request.GET)
        return _form(request, form)
    values = form.read(request.POST)
    if values is None or "change" in request.POST:
        return _form(request, form, status=200 if values is not None else 422)
    key = request.POST.get("key", "")[:LONGEST_KEY] or None
    try:
        if "start" not in request.POST:
            context = {"form": form, "cost": cost.of(kind=kind, params=values), "key": uuid4().hex}
            return render(request, "job_check.html", context)
        job, _ = jobs.start(kind=kind, params=values, by=request.user, key=key)
    except InvalidParams as error:
        form.refuse(error.mistakes)
        return _form(request, form, status=422)
    except JobRefused as error:
        form.refuse({"": str(error)})
        return _form(request, form, status=422)
    return redirect("job", job.pk)


def _form(request: HttpRequest, form: Form, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "about": ABOUT.get(form.kind.name, "")}
    return render(request, "job_form.html", context, status=status)
