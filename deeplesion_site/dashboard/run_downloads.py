"""What a run and its evaluations have written, as files."""

from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from datasets.selectors import releases as release_selectors
from deeplesion_site import access
from deeplesion_site.access import Right, needs
from deeplesion_site.accounts import agreements, audit
from deeplesion_site.accounts.models import Action
from deeplesion_site.dashboard.agreement_page import ask_to_sign
from deeplesion_site.dashboard.run_pages import run_or_404
from detection.models import Evaluation


@require_safe
@needs(Right.READ_PUBLISHED)
def metrics(request: HttpRequest, pk: int) -> HttpResponseBase:
    """metrics.jsonl: losses and learning rate of every step."""
    return _file(request, run_or_404(pk).folder, "metrics.jsonl", f"run-{pk}-metrics.jsonl", "application/x-ndjson")


@require_safe
@needs(Right.DOWNLOAD)
def detections(request: HttpRequest, pk: int, evaluation: int) -> HttpResponseBase:
    """detections.csv: File_name, x1, y1, x2, y2, score in the frame of DL_info.csv; it asks for the same signature."""
    found = _evaluation(pk, evaluation)
    release = release_selectors.get(found.run.release, access.visibility(request.user))
    if release is not None and not agreements.has_signed(request.user, release):
        return ask_to_sign(request, release)
    return _file(request, found.folder, "detections.csv", f"run-{pk}-{found.split}-detections.csv", "text/csv")


@require_safe
@needs(Right.READ_PUBLISHED)
def report(request: HttpRequest, pk: int, evaluation: int) -> HttpResponseBase:
    """report.json: everything that was measured."""
    found = _evaluation(pk, evaluation)
    return _file(request, found.folder, "report.json", f"run-{pk}-{found.split}-report.json", "application/json")


def _evaluation(pk: int, evaluation: int) -> Evaluation:
    for found in run_or_404(pk).evaluations.all():
        if found.pk == evaluation and found.state == Evaluation.State.DONE:
            return found
    raise Http404


def _file(request: HttpRequest, folder: str, name: str, shown: str, content_type: str) -> FileResponse:
    try:
        file = (Path(settings.DATA_DIR) / folder / name).open("rb")
    except OSError as error:
        raise Http404 from error
    audit.record(request.user, Action.DOWNLOADED, shown)
    return FileResponse(file, as_attachment=True, filename=shown, content_type=content_type)
