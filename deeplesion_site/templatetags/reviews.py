"""How reasons, verdicts and the queue's addresses are written on pages. No tag asks the database."""

from typing import Any

from django import template

from datasets.models import Proposal, Review
from deeplesion_site.templatetags.lesions import number

register = template.Library()

_UNITS = {
    "too small": "mm²",
    "too large": "mm²",
    "too flat": "times",
    "too thin": "times",
    "axes askew": "°",
    "outside the body": "%",
    "too dark": "HU",
    "too even": "HU",
    "too small a range": "HU",
    "nothing but pixel noise": "times the noise",
}

_MEANINGS = {
    "too small": "area of the padded box",
    "too large": "area of the padded box",
    "too flat": "longer side of the box by the shorter one",
    "too thin": "long diameter by the short one",
    "axes askew": "angle between the axes",
    "outside the body": "share of the box in the air around the body",
    "too dark": "mean inside the box",
    "too even": "standard deviation inside the box",
    "too small a range": "from the darkest to the brightest pixel of the box",
    "a speck without contrast": "contrast to its surroundings, in units of their noise",
    "nothing but pixel noise": "standard deviation inside the box by that of the pixel noise",
    "published": "marked so in the published table",
    Proposal.Reason.OVERLAP: "two marks on one slice that overlap",
    Proposal.Reason.NEIGHBOURS: "two marks on slices close by that overlap, seen from above",
}


@register.filter
def reason_name(reason: str) -> str:
    """A reason in words."""
    if reason == "published":
        return "marked so in the published table"
    return str(Proposal.Reason(reason).label) if reason in Proposal.Reason.values else reason.replace("_", " ")


@register.filter
def reason_meaning(reason: str) -> str:
    """What a reason measures."""
    return _MEANINGS.get(reason, "")


@register.simple_tag
def measure(reason: str, value: float | str | None) -> str:
    """A measured value, or its threshold, with the unit of its reason; what a published table left out is a dash."""
    if value is None or isinstance(value, str):
        return "–"
    unit = _UNITS.get(reason, "")
    shown = 100 * value if unit == "%" else value
    digits = 0 if abs(shown) >= 100 else 1 if abs(shown) >= 10 else 2
    gap = "" if unit in ("", "°") else "\u00a0"
    return f"{number(round(shown, digits))}{gap}{unit}"


@register.filter
def limit_word(item: dict[str, Any]) -> str:
    """Whether the threshold is the least or the most that is allowed."""
    value, threshold = item.get("value"), item.get("threshold")
    if value is None or threshold is None:
        return ""
    return "at least" if value < threshold else "at most"


@register.filter
def verdict_class(verdict: str) -> str:
    """How a verdict's badge looks."""
    return {
        Review.Verdict.KEEP: "good",
        Review.Verdict.MERGE: "good",
        Review.Verdict.REJECT: "bad",
        Review.Verdict.SPLIT: "warn",
        Review.Verdict.DISTINCT: "warn",
    }.get(Review.Verdict(verdict), "")


@register.filter
def percent(share: float) -> str:
    """A share of 1 as whole percent."""
    return f"{100 * share:.0f}\u00a0%"
