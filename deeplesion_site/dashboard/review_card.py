"""One card of the review queue: look, decide, and the next one is there."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from datasets.models import Lesion, Proposal, Review
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors import reviews as selectors
from datasets.selectors.visibility import Visibility
from datasets.services import review as service
from datasets.services.errors import Refused
from deeplesion_site.access import Right, needs
from deeplesion_site.dashboard.lesion_page import PRESETS, opening, viewer
from deeplesion_site.dashboard.partial import is_partial
from deeplesion_site.dashboard.review_queue import query_of, wish_of
from deeplesion_site.dashboard.slice_image import window_of

KEYS = (
    (("k",), "it is a lesion: keep it"),
    (("x",), "it is not a lesion: leave it out"),
    (("m",), "the two are the same lesion: merge them"),
    (("d",), "they are not the same"),
    (("u",), "undo the last verdict"),
    (("n",), "leave it for later, go to the next"),
    (("p",), "back to the one before"),
    (("↑", "↓"), "one slice towards the head, the feet"),
    (("0", "1", "2", "3", "4"), "window: DICOM, soft tissue, lung, bone, liver"),
    (("z",), "zoom to the lesion, or the whole slice"),
    (("o",), "show or hide axes and box"),
    (("?",), "show or hide these keys"),
)


@require_safe
@needs(Right.REVIEW)
def card(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    return _card(request, kind, pk)


@require_POST
@needs(Right.REVIEW)
def verdict(request: HttpRequest, kind: str, pk: int) -> HttpResponse:
    """Record a verdict and show the next card; when it cannot be recorded, the same one again, with the reason."""
    subject = _subject(kind, pk)
    wish = wish_of(request.GET)
    given: dict[str, Any] = {
        "reviewer": request.user,
        "verdict": request.POST.get("verdict", ""),
        "seen": _whole(request.POST.get("seen", "")),
        "note": request.POST.get("note", ""),
    }
    try:
        made = (
            service.review_lesion(lesion=subject, **given)
            if isinstance(subject, Lesion)
            else service.review_proposal(proposal=subject, **given)
        )
    except Refused as error:
        return _again(request, kind, pk, refusal=str(error))
    following = selectors.following(kind, pk, wish)
    return _go_on(request, following, last=made)


@require_POST
@needs(Right.REVIEW)
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a verdict back and show what it was about: its card or, from a lesion's own history, the lesion's page."""
    given = selectors.review(pk)
    if given is None:
        raise Http404
    try:
        service.undo(review=given, reviewer=request.user)
        done, refusal = "Taken back. It waits for a verdict again.", ""
    except Refused as error:
        done, refusal = "", str(error)
    kind, subject = ("flagged", given.lesion_id) if given.lesion_id else ("pairs", given.proposal_id)
    if request.POST.get("lesion"):
        (messages.error if refusal else messages.success)(request, refusal or "Taken back.")
        return redirect(f"{reverse('lesion', args=[_whole(request.POST['lesion'])])}#review")
    return _again(request, kind, subject or 0, refusal=refusal, done=done)


def _subject(kind: str, pk: int) -> Lesion | Proposal:
    subject = lesion_selectors.get(pk, Visibility.EVERYTHING) if kind == "flagged" else selectors.proposal(pk)
    if subject is None:
        raise Http404
    return subject


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else -1


def _go_on(request: HttpRequest, following: tuple[str, int] | None, last: Review) -> HttpResponse:
    query = query_of(wish_of(request.GET))
    if following is None:
        address = f"{reverse('review-queue')}{query}"
        messages.success(request, "That was the last one that waited here.")
        if not is_partial(request):
            return redirect(address)
        response = HttpResponse()
        response["HX-Redirect"] = address
        return response
    if not is_partial(request):
        return redirect(f"{reverse('review-card', args=following)}{query}")
    return _card(request, *following, last=last)


def _again(request: HttpRequest, kind: str, pk: int, *, refusal: str = "", done: str = "") -> HttpResponse:
    if is_partial(request):
        return _card(request, kind, pk, refusal=refusal, done=done)
    (messages.error if refusal else messages.success)(request, refusal or done)
    return redirect(f"{reverse('review-card', args=(kind, pk))}{query_of(wish_of(request.GET))}")


def _card(
    request: HttpRequest, kind: str, pk: int, *, last: Review | None = None, refusal: str = "", done: str = ""
) -> HttpResponse:
    wish = wish_of(request.GET)
    subject = _subject(kind, pk)
    pair = subject if isinstance(subject, Proposal) else None
    lesions = (
        [subject]
        if isinstance(subject, Lesion)
        else [_of_pair(side) for side in (subject.first_id, subject.second_id)]
    )
    history = list(selectors.said_of_proposal(pair) if pair else selectors.said_of(lesions[0]))
    following = selectors.following(kind, pk, wish)
    before = selectors.preceding(kind, pk, wish)
    query = query_of(wish)
    window = _common_window(lesions)
    context: dict[str, Any] = {
        "kind": kind,
        "subject": subject,
        "pair": pair,
        "sides": [_side(each, window, others=[other for other in lesions if other is not each]) for each in lesions],
        "lesion": lesions[0],
        "seen": service.latest_review(subject),
        "history": history,
        "undoable": set(selectors.open_to_undo(history)),
        "standing": _standing(subject),
        "progress": selectors.progress(wish),
        "wish": wish,
        "query": query,
        "following": following and f"{reverse('review-card', args=following)}{query}",
        "before": before and f"{reverse('review-card', args=before)}{query}",
        "last": last,
        "refusal": refusal,
        "done": done,
        "keys": KEYS,
        "next_pictures": _pictures(following) if following else [],
    }
    response = render(request, "parts/review_card.html" if is_partial(request) else "review_page.html", context)
    response["Vary"] = "HX-Request"
    response["Cache-Control"] = "no-store"
    if is_partial(request):
        response["HX-Push-Url"] = f"{reverse('review-card', args=(kind, pk))}{query}"
    return response


def _of_pair(pk: int) -> Lesion:
    found = lesion_selectors.get(pk, Visibility.EVERYTHING)
    if found is None:
        raise Http404
    return found


def _presets(lesion: Lesion) -> list[tuple[str, float, float]]:
    return [("DICOM window", *window_of(lesion.slice)), *PRESETS]


def _common_window(lesions: list[Lesion]) -> int:
    """The window in which a card opens: the same on both sides, so that they can be compared."""
    return max(opening(lesion, _presets(lesion)) for lesion in lesions)


def _side(lesion: Lesion, window: int, others: list[Lesion]) -> dict[str, Any]:
    """What the card shows of one lesion."""
    data = viewer(lesion, lesion_selectors.context_slices(lesion, Visibility.EVERYTHING))
    data["others"] = [{"number": each.slice.number, "points": each.points} for each in others]
    return {"lesion": lesion, "viewer": data, "presets": _presets(lesion), "opening": window}


def _standing(subject: Lesion | Proposal) -> bool:
    lesions = [subject] if isinstance(subject, Lesion) else [subject.first, subject.second]
    return all(each.merged_into_id is None and not each.dissolved for each in lesions)


def _pictures(following: tuple[str, int]) -> list[str]:
    """Addresses of the key slices of the next card as it will ask for them, so that they are there already."""
    kind, pk = following
    subject = _subject(kind, pk)
    lesions = [subject] if isinstance(subject, Lesion) else [subject.first, subject.second]
    window = _common_window(lesions)
    found = []
    for lesion in lesions:
        _, low, high = _presets(lesion)[window]
        found.append(f"{reverse('slice-png', args=[lesion.slice_id])}?low={low:g}&high={high:g}")
    return found
