"""Cancel a job, or try it once more: a page that says what will happen, and a POST that does it."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from deeplesion_site import jobs
from deeplesion_site.access import Right, needs
from deeplesion_site.cost import cost
from deeplesion_site.dashboard import job_selectors as selectors
from workers.errors import JobRefused
from workers.models import Job

CANCELS = {
    Job.State.QUEUED: "It waits and has not begun; it will not begin.",
    Job.State.RUNNING: "Its worker ends within seconds. What it has finished stays; retried, it goes on from there.",
}


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.RUN_JOBS)
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    job = _job(pk)
    happens = CANCELS.get(Job.State(job.state), "")
    if request.method == "POST":
        return _do(request, job, jobs.cancel, "is to end.")
    return _confirm(request, job, happens, name="Cancel", otherwise="Let it go on")


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.RUN_JOBS)
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    job = _job(pk)
    happens = ""
    if job.state in (Job.State.FAILED, Job.State.CANCELLED):
        happens = "It is queued again with the same parameters, and goes on from what it finds done."
    if request.method == "POST":
        return _do(request, job, jobs.retry, "is queued again.")
    return _confirm(request, job, happens, name="Retry", otherwise="Leave it")


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.RUN_JOBS)
def for_real(request: HttpRequest, pk: int) -> HttpResponse:
    """Harvest what a dry run has counted."""
    job = _job(pk)
    if request.method == "POST":
        try:
            made, _ = jobs.harvest_for_real(rehearsal=job, by=request.user)
        except JobRefused as error:
            messages.error(request, str(error))
            return redirect("job", pk)
        return redirect("job", made.pk)
    if not job.params.get("dry_run"):
        return _confirm(request, job, "", name="Harvest for real", otherwise="Leave it")
    happens = "What the dry run has counted is taken into the collection, by a job of its own."
    told = cost.of_real(job)
    return _confirm(request, job, happens, name="Harvest for real", otherwise="Leave it", deed="Harvest", told=told)


def _confirm(
    request: HttpRequest,
    job: Job,
    happens: str,
    *,
    name: str,
    otherwise: str,
    deed: str = "",
    told: cost.Cost | None = None,
) -> HttpResponse:
    context = {"job": job, "happens": happens, "action": name, "otherwise": otherwise, "cost": told}
    context["deed"] = deed or f"{name} the job"
    return render(request, "job_confirm.html", context)


def _do(request: HttpRequest, job: Job, deed: Callable[..., Any], said: str) -> HttpResponse:
    try:
        deed(pk=job.pk, by=request.user)
        messages.success(request, f"Job {job.pk} {said}")
    except JobRefused as error:
        messages.error(request, str(error))
    return redirect("job", job.pk)


def _job(pk: int) -> Job:
    job = selectors.get(pk)
    if job is None:
        raise Http404
    return job
