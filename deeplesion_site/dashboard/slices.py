"""GET /slices/<id>.png"""

from hashlib import sha256

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from datasets.selectors import visibility as visible
from deeplesion_site import access
from deeplesion_site.dashboard import slice_image


@require_safe
def slice_png(request: HttpRequest, pk: int) -> HttpResponse:
    """Draw a slice; see `slice_image.parse` for the parameters."""
    place = visible.slices(access.visibility(request.user)).filter(pk=pk).first()
    if place is None:
        raise Http404
    try:
        view = slice_image.parse(request.GET.dict(), place)
    except slice_image.BadPicture as error:
        return HttpResponse(str(error), status=400, content_type="text/plain; charset=utf-8")
    tag = sha256(f"{place.pk} {place.sha256} {place.bytes} {view}".encode()).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, max-age=86400"}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return HttpResponseNotModified(headers=headers)
    if place.stored:
        try:
            return HttpResponse(slice_image.render(place, view), content_type="image/png", headers=headers)
        except slice_image.NoPicture:
            pass
    drawing = render_to_string("parts/no_picture.svg")
    return HttpResponse(drawing, status=404, content_type="image/svg+xml", headers={"Cache-Control": "no-store"})
