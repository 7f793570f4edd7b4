"""Downloads of a release: its archive where a job has packed it; else streamed, with nothing held in memory."""

import logging

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from datasets import dl_info, manifest
from datasets.services import archive as archives
from datasets.services import release_contents, release_stream
from datasets.services.errors import Refused
from datasets.storage import release_folder
from deeplesion_site.access import Right, needs
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import Action
from deeplesion_site.dashboard import errors, ranges
from deeplesion_site.dashboard.agreement_page import signed
from deeplesion_site.dashboard.release_pages import release_or_404

ZIP = "application/zip"

logger = logging.getLogger(__name__)


@require_safe
@needs(Right.DOWNLOAD)
@signed
def table(request: HttpRequest, name: str) -> HttpResponseBase:
    """DL_info.csv as it was published."""
    release = release_or_404(request, name)
    audit.record(request.user, Action.DOWNLOADED, f"release {name}", file=manifest.TABLE)
    return _attachment(
        StreamingHttpResponse(release_contents.csv_lines(release), content_type="text/csv"), manifest.TABLE
    )


@require_safe
@needs(Right.READ_PUBLISHED)
def manifest_json(request: HttpRequest, name: str) -> HttpResponseBase:
    """manifest.json, once it is made."""
    release = release_or_404(request, name)
    path = release_folder(release.name) / manifest.FILE_NAME
    if not path.is_file():
        raise Http404
    audit.record(request.user, Action.DOWNLOADED, f"release {name}", file=manifest.FILE_NAME)
    return FileResponse(path.open("rb"), as_attachment=True, filename=manifest.FILE_NAME)


@require_safe
@needs(Right.DOWNLOAD)
@signed
def archive(request: HttpRequest, name: str) -> HttpResponseBase:
    """Table, manifest and images in the layout of DeepLesion; with `split` the images of one split alone."""
    release = release_or_404(request, name)
    wanted = request.GET.get("split", "")
    codes = {label: code for code, label in dl_info.SPLITS.items()}
    if wanted and wanted not in codes:
        raise Http404
    file_name = f"{release.name}-{wanted}.zip" if wanted else f"{release.name}.zip"
    packed = None if wanted else archives.find(release.name)
    if packed is not None:
        answer = ranges.serve(request, packed.path, tag=packed.sha256, content_type=ZIP)
    else:
        try:
            stream = release_stream.pack(release, codes.get(wanted))
        except Refused as error:
            sentence = str(error).replace(f"{release_folder(name)}/", "")
            logger.error("release %s cannot be downloaded: %s", name, sentence)
            return errors.unavailable(request, f"{name} cannot be downloaded now. {sentence}.")
        answer = StreamingHttpResponse(stream, content_type=ZIP)
    audit.record(request.user, Action.DOWNLOADED, f"release {name}", file="archive.zip", split=wanted or "all")
    return _attachment(answer, file_name)


def _attachment(response: HttpResponseBase, file_name: str) -> HttpResponseBase:
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response
