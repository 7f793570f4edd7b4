"""A large file, whole or from where a broken download ended. Source: RFC 9110, sections 13.1.5 and 14."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

CHUNK = 256 * 1024

_ONE_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})\Z")


def serve(request: HttpRequest, path: Path, *, tag: str, content_type: str) -> HttpResponseBase:
    """Answer with a file, or the part of it that is asked for; more than one part, or odd ones, are answered by all.

    Parameters
    ----------
    tag : changes whenever the file does.
    """
    size, etag = path.stat().st_size, f'"{tag}"'
    wanted = _ONE_RANGE.match(request.headers.get("Range", ""))
    if wanted is None or request.headers.get("If-Range", etag) != etag:
        answer: HttpResponseBase = FileResponse(path.open("rb"), content_type=content_type)
    else:
        first, last = int(wanted[1]), min(int(wanted[2] or size), size - 1)
        if first > last:
            answer = HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
        else:
            answer = StreamingHttpResponse(_part(path, first, last), status=206, content_type=content_type)
            answer["Content-Range"] = f"bytes {first}-{last}/{size}"
            answer["Content-Length"] = str(last - first + 1)
    answer["ETag"] = etag
    answer["Accept-Ranges"] = "bytes"
    return answer


def _part(path: Path, first: int, last: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = last - first + 1
        while left and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
