"""The review queue: what waits for a curator, by reason, collection and type, and how far it is."""

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from datasets import dl_info
from datasets.models import Proposal
from datasets.selectors import reviews as selectors
from datasets.selectors.paging import BadCursor, page
from deeplesion_site.access import Right, needs
from deeplesion_site.api.fields import Codes
from deeplesion_site.api.filters import codes
from deeplesion_site.dashboard.partial import is_partial

PAGE_SIZE = 36
TABS = (("flagged", "Possibly noisy"), ("pairs", "Possible duplicates"))


class WishForm(forms.Form):
    """The filters of the queue; whatever makes no sense is left out."""

    reason = forms.CharField(required=False, max_length=64)
    collection = forms.SlugField(required=False)
    type = Codes(dl_info.TYPES, required=False)


def wish_of(given: QueryDict) -> selectors.Wish:
    """Read which part of the queue is asked for."""
    form = WishForm(given)
    form.is_valid()
    found = form.cleaned_data
    return selectors.Wish(
        found.get("reason", "").replace('"', ""),
        found.get("collection", ""),
        codes(found.get("type", []), dl_info.TYPES),
    )


def query_of(wish: selectors.Wish) -> str:
    """The filters as a query string, to carry from card to card."""
    query = QueryDict(mutable=True)
    if wish.reason:
        query["reason"] = wish.reason
    if wish.collection:
        query["collection"] = wish.collection
    query.setlist("type", [dl_info.TYPES[code] for code in wish.types])
    return f"?{query.urlencode()}" if query.urlencode() else ""


@require_safe
@needs(Right.REVIEW)
def queue(request: HttpRequest) -> HttpResponse:
    wish = wish_of(request.GET)
    progress = selectors.progress(wish)
    kind = request.GET.get("kind", "")
    if kind not in selectors.KINDS or wish.reason:
        # A reason belongs to one of the two; without any, the one where something waits.
        of_pairs = wish.reason in Proposal.Reason.values
        nothing_flagged = not wish.reason and not progress.waiting["flagged"] and progress.waiting["pairs"]
        kind = "pairs" if of_pairs or nothing_flagged else "flagged"
    state = request.GET.get("state") if request.GET.get("state") in selectors.STATES else selectors.STATES[0]
    rows = selectors.of_kind(kind, str(state), wish)
    try:
        found = page(rows, order=("id",), size=PAGE_SIZE, cursor=request.GET.get("cursor", ""))
    except BadCursor:
        found = page(rows, order=("id",), size=PAGE_SIZE)
    context: dict[str, Any] = {
        "wish": wish,
        "query": query_of(wish),
        "kind": kind,
        "state": state,
        "page": found,
        "progress": progress,
        "tabs": [
            (key, label, (progress.waiting if state == "waiting" else progress.judged)[key]) for key, label in TABS
        ],
        "collections": selectors.collections(),
        "types": dl_info.TYPES,
        "filtered": bool(wish.reason or wish.collection or wish.types),
    }
    response = render(request, "parts/review_results.html" if is_partial(request) else "review_list.html", context)
    response["Vary"] = "HX-Request"
    if is_partial(request):
        response["HX-Push-Url"] = request.get_full_path()
    return response


@require_safe
@needs(Right.REVIEW)
def first(request: HttpRequest) -> HttpResponse:
    """Go to the first card of a part of the queue."""
    wish = wish_of(request.GET)
    kind = request.GET.get("kind", selectors.KINDS[0])
    if kind not in selectors.KINDS:
        raise Http404
    following = selectors.following(kind, 0, wish)
    if following is None:
        return redirect(f"{reverse('review-queue')}{query_of(wish)}")
    return redirect(f"{reverse('review-card', args=following)}{query_of(wish)}")
