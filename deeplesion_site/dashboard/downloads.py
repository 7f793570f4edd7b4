"""Downloads of a release: its archive where a job has packed it; else streamed, with nothing held in memory."""

from collections.abc import Iterator

from django.core.files.storage import Storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe
from zipstream import ZIP_STORED, ZipStream

from datasets import dl_info, manifest
from datasets.models import Release
from datasets.services import archive as archives
from datasets.services import release_contents
from datasets.storage import release_folder, slice_storage
from deeplesion_site.access import Right, needs
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import Action
from deeplesion_site.dashboard import ranges
from deeplesion_site.dashboard.agreement_page import signed
from deeplesion_site.dashboard.release_pages import release_or_404

ZIP = "application/zip"
_CHUNK = 256 * 1024


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
    audit.record(request.user, Action.DOWNLOADED, f"release {name}", file="archive.zip", split=wanted or "all")
    file_name = f"{release.name}-{wanted}.zip" if wanted else f"{release.name}.zip"
    packed = None if wanted else archives.find(release.name)
    if packed is not None:
        answer = ranges.serve(request, packed.path, tag=packed.sha256, content_type=ZIP)
    else:
        answer = StreamingHttpResponse(pack(release, codes.get(wanted)), content_type=ZIP)
    return _attachment(answer, file_name)


def pack(release: Release, split: int | None) -> ZipStream:
    """The archive as a stream of bytes; PNG files do not get smaller, so they are stored as they are.

    The manifest names every file of the release, so it comes with all of them or not at all.
    """
    stream = ZipStream(compress_type=ZIP_STORED)
    stream.add((line.encode() for line in release_contents.csv_lines(release)), manifest.TABLE)
    path = release_folder(release.name) / manifest.FILE_NAME
    if split is None and path.is_file():
        stream.add_path(str(path), manifest.FILE_NAME)
    storage = slice_storage(release.collection)
    for place in release_contents.slices(release, split):
        stream.add(_content(storage, place.path), f"{manifest.IMAGES}/{place.path}")
    return stream


def _content(storage: Storage, path: str) -> Iterator[bytes]:
    """Open a file when its turn comes, not before: a release has more files than a process may hold open."""
    with storage.open(path) as file:
        yield from file.chunks(_CHUNK)


def _attachment(response: HttpResponseBase, file_name: str) -> HttpResponseBase:
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response
