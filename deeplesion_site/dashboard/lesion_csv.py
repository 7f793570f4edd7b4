"""The list of lesions as a file, for those who signed for the releases that it is of."""

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from deeplesion_site import access, lesion_csv
from deeplesion_site.access import Right, needs
from deeplesion_site.accounts import agreements
from deeplesion_site.api.filters import LesionFilter
from deeplesion_site.dashboard.agreement_page import ask_to_sign
from deeplesion_site.dashboard.lesion_list import faults


@require_safe
@needs(Right.DOWNLOAD)
def lesions(request: HttpRequest) -> HttpResponseBase:
    """Every lesion that passes the filters of the list, in its order."""
    seen = access.visibility(request.user)
    filters = LesionFilter(request.GET, visibility=seen)
    if faults(filters, request.GET):
        raise BadRequest("a filter makes no sense")
    release = agreements.first_unsigned(request.user, filters.qs, seen)
    if release is not None:
        return ask_to_sign(request, release)
    return lesion_csv.answer(request.user, filters.qs.order_by(*filters.order), seen, request.GET.urlencode())
