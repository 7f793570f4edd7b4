"""The detector: all runs, one run, and two of them side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets import phantom
from datasets.models import Release
from datasets.selectors import releases as release_selectors
from datasets.selectors import visibility as visible
from deeplesion_site import access
from deeplesion_site.access import Right, needs
from deeplesion_site.dashboard import job_selectors, run_charts, run_pictures, run_table
from deeplesion_site.dashboard.charts import Chart
from deeplesion_site.dashboard.partial import is_partial
from detection import selectors
from detection.models import Evaluation, TrainingRun
from workers.programs import LOG
from workers.supervise import tail


@require_safe
@needs(Right.READ_PUBLISHED)
def run_list(request: HttpRequest) -> HttpResponse:
    wanted = request.GET.get("sort", run_table.DEFAULT)
    if wanted.removeprefix("-") not in run_table.COLUMNS:
        wanted = run_table.DEFAULT
    rows = run_table.in_order([run_table.row_of(run) for run in selectors.runs()[: run_table.LIMIT]], wanted)
    releases = visible.releases(access.visibility(request.user)).filter(collection__slug=phantom.COLLECTION)
    context = {
        "rows": rows,
        "phantoms": set(releases.values_list("name", flat=True)),
        "heads": run_table.heads(wanted),
        "sort": wanted,
        "unfinished": any(row.is_unfinished for row in rows),
        "limit": run_table.LIMIT,
        "comparable": sum(row.evaluation is not None for row in rows) > 1,
    }
    return render(request, "parts/run_rows.html" if is_partial(request) else "run_list.html", context)


@require_safe
@needs(Right.READ_PUBLISHED)
def run_page(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_or_404(pk)
    release = release_selectors.get(run.release, access.visibility(request.user))
    evaluations = list(run.evaluations.all())
    finished = [each for each in evaluations if each.state == Evaluation.State.DONE]
    chosen = _chosen(request, finished)
    context: dict[str, Any] = {
        **_progress(request, run, evaluations),
        "release": release,
        "on_phantom": on_phantom(release),
        "finished": finished,
        "evaluation": chosen,
        "losses": run_charts.losses(run.curve) if run.curve.get("train", {}).get("step") else None,
        "options": sorted(run.options.items()),
        "log": _log(request, run),
    }
    if chosen is not None:
        official = selectors.is_official_test(chosen)
        context |= {
            "official": official,
            "headline": operating_points(chosen, run_charts.HEADLINE),
            "points": operating_points(chosen, run_charts.OPERATING_POINTS),
            "froc": run_charts.froc(chosen, official=official),
            "charts": _charts(chosen),
            "gallery": run_pictures.gallery(request, chosen, release),
        }
    return render(request, "run_page.html", context)


@require_safe
@needs(Right.READ_PUBLISHED)
def run_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a run is; the page loads anew when that is over."""
    run = run_or_404(pk)
    context = _progress(request, run, list(run.evaluations.all()))
    losses = run_charts.losses(run.curve) if run.curve.get("train", {}).get("step") else None
    response = render(request, "parts/run_progress.html", {**context, "live": losses, "log": _log(request, run)})
    began_drawing = losses is not None and request.GET.get("drawn") == "no"
    # The state at the head of the page is not among what is refreshed.
    otherwise = context["interrupted"] != (request.GET.get("interrupted") == "yes")
    if not context["unfinished"] or began_drawing or otherwise:
        response["HX-Refresh"] = "true"
    return response


@require_safe
@needs(Right.READ_PUBLISHED)
def detecting(request: HttpRequest) -> HttpResponse:
    """The newest run in short, for the overview."""
    return render(request, "parts/detecting.html", newest(request))


def newest(request: HttpRequest) -> dict[str, Any]:
    """The newest run with its result, and whether that was measured on the phantom."""
    run = selectors.newest_run()
    if run is None:
        return {"detector": None}
    release = release_selectors.get(run.release, access.visibility(request.user))
    return {"detector": run_table.row_of(run), "on_phantom": on_phantom(release)}


@require_safe
@needs(Right.READ_PUBLISHED)
def compare(request: HttpRequest) -> HttpResponse:
    """Two runs side by side, and whether their difference is more than chance."""
    keys = [int(key) for key in request.GET.getlist("run") if key.isdecimal() and len(key) < 10]
    if len(keys) != 2 or keys[0] == keys[1]:
        return render(request, "run_compare.html", {"wrong": "Choose two different runs in the table."})
    runs = [run_or_404(key) for key in sorted(keys)]
    evaluations = [run_table.usual(list(run.evaluations.all())) for run in runs]
    missing = [str(run) for run, found in zip(runs, evaluations, strict=True) if found is None]
    if missing:
        wrong = f"{' and '.join(missing)} {'have' if len(missing) > 1 else 'has'} no result in the test split yet."
        return render(request, "run_compare.html", {"runs": runs, "wrong": wrong})
    first, second = (whole for found in evaluations if found and (whole := selectors.evaluation(found.pk)))
    if not selectors.are_comparable(first, second):
        wrong = (
            f"{runs[0]} and {runs[1]} were tested on different lesions; only results on the same ones can be compared."
        )
        return render(request, "run_compare.html", {"runs": runs, "wrong": wrong})
    pair = list(zip(runs, (first, second), strict=True))
    context = {
        "runs": runs,
        "pair": pair,
        "on_phantom": on_phantom(release_selectors.get(runs[0].release, access.visibility(request.user))),
        "difference": selectors.paired_difference(first, second),
        "chart": run_charts.two_runs(pair),
        "points": [
            (point, *(found.sensitivity.get(point) for _, found in pair)) for point in run_charts.OPERATING_POINTS
        ],
    }
    return render(request, "run_compare.html", context)


def run_or_404(pk: int) -> TrainingRun:
    """The run; all are made of published releases, so that whoever reads these may see them."""
    run = selectors.run(pk)
    if run is None:
        raise Http404
    return run


def on_phantom(release: Release | None) -> bool:
    """Whether what was measured was measured on made-up anatomy."""
    return release is not None and release.collection.slug == phantom.COLLECTION


def operating_points(found: Evaluation, rates: Sequence[str]) -> list[tuple[str, float, float | None, float | None]]:
    """Rate, sensitivity and the ends of its band."""
    bands = found.report.get("bands", {}).get("sensitivity", {})
    return [(rate, found.sensitivity[rate], *bands.get(rate, (None, None))) for rate in rates]


def _chosen(request: HttpRequest, finished: list[Evaluation]) -> Evaluation | None:
    """The evaluation that the address names, else the usual one, else the newest."""
    wanted = request.GET.get("evaluation", "")
    if wanted:
        found = next((each for each in finished if str(each.pk) == wanted), None)
        if found is None:
            raise Http404
    else:
        found = run_table.usual(finished) or next(iter(finished), None)
    return selectors.evaluation(found.pk) if found else None


def _charts(found: Evaluation) -> list[Chart]:
    charts = [run_charts.by_type(found), run_charts.by_size(found), run_charts.by_iou(found)]
    shares = selectors.over_shares(found)
    return [*charts, run_charts.by_share(shares)] if len(shares) > 1 else charts


def _progress(request: HttpRequest, run: TrainingRun, evaluations: list[Evaluation]) -> dict[str, Any]:
    sees_jobs = access.may(request.user, Right.SEE_JOBS)
    evaluating = next((each for each in evaluations if each.is_unfinished), None)
    ended = (Evaluation.State.FAILED, Evaluation.State.CANCELLED)
    failed = next((each for each in evaluations if each.state in ended), None)
    return {
        "run": run,
        "interrupted": job_selectors.is_interrupted(run),
        "evaluating": evaluating,
        "evaluating_job": job_selectors.evaluating_job(evaluating) if evaluating and sees_jobs else None,
        "evaluation_failed": failed if evaluating is None else None,
        "unfinished": run.is_unfinished or evaluating is not None,
    }


def _log(request: HttpRequest, run: TrainingRun) -> str:
    """The end of the training program's output, for those who see jobs."""
    if not access.may(request.user, Right.SEE_JOBS):
        return ""
    return tail(Path(settings.DATA_DIR) / run.folder / LOG)
