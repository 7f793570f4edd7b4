"""How lesions, counts and lengths are written on pages. No tag asks the database."""

import json
from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import QueryDict
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from datasets import dl_info
from datasets.models import Lesion
from deeplesion_site.dashboard import slice_image

register = template.Library()

_MARGIN = 0.6
_SMALLEST = 96.0


def _square(lesion: Lesion) -> tuple[float, float, float, float]:
    """A square around a lesion's box with some of its surroundings."""
    x1, y1, x2, y2 = lesion.box
    half = max(_SMALLEST, (1 + _MARGIN) * max(x2 - x1, y2 - y1)) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    return x - half, y - half, x + half, y + half


@register.filter
def in_air(lesion: Lesion) -> bool:
    """Whether its thumbnail shows nothing but where the mark is."""
    return slice_image.in_air(lesion)


@register.simple_tag
def sketch(lesion: Lesion) -> SafeString:
    """The axes and the box alone, in the frame of `thumbnail`: for a lesion whose picture is not there or empty."""
    left, top, right, bottom = _square(lesion)
    x1, y1, x2, y2 = lesion.box
    lines = [[f"{value:.1f}" for value in lesion.points[start : start + 4]] for start in (0, 4)]
    return format_html(
        '<svg class="sketch" viewBox="{} {} {} {}" aria-hidden="true"><rect class="box" x="{}" y="{}" width="{}" '
        'height="{}"/><line class="axis long" x1="{}" y1="{}" x2="{}" y2="{}"/>'
        '<line class="axis short" x1="{}" y1="{}" x2="{}" y2="{}"/></svg>',
        *(f"{value:.1f}" for value in (left, top, right - left, bottom - top, x1, y1, x2 - x1, y2 - y1)),
        *lines[0],
        *lines[1],
    )


@register.simple_tag
def thumbnail(lesion: Lesion, size: int = 160) -> str:
    """Address of the picture around a lesion's box, a square with some of its surroundings."""
    crop = ",".join(f"{edge:.0f}" for edge in _square(lesion))
    low, high = slice_image.window_for(lesion)
    query = urlencode({"crop": crop, "size": size, "low": f"{low:g}", "high": f"{high:g}"}, safe=",")
    return f"{reverse('slice-png', args=[lesion.slice_id])}?{query}"


@register.simple_tag
def type_mark(code: int) -> SafeString:
    """The shape and colour of a lesion type; decoration beside its name."""
    key = "unknown" if code == -1 else str(int(code))
    return format_html(
        '<svg class="mark type-{}" viewBox="0 0 16 16" aria-hidden="true"><use href="#shape-{}"/></svg>', key, key
    )


@register.filter
def type_name(code: int) -> str:
    """The name of a type code."""
    return dl_info.TYPES.get(int(code), "unknown")


@register.filter
def as_json(data: Any) -> str:
    """Data for a script, to stand in an attribute: HTMX takes script elements out of what it swaps in."""
    return json.dumps(data, separators=(",", ":"))


@register.filter
def words(name: str) -> str:
    """A name of the code as words."""
    return str(name).replace("_", " ")


@register.filter
def mm(value: float | None) -> str:
    """A length to a tenth of a millimetre."""
    return "–" if value is None else f"{value:.1f}"


@register.filter
def share(value: float | None) -> str:
    """A share from 0 to 1 in percent."""
    return "–" if value is None else f"{100 * value:.3g}\u00a0%"


@register.filter
def hu(value: float | None) -> str:
    """A value in HU, whole."""
    return "–" if value is None else _minus(f"{value:.0f}")


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")


@register.filter
def number(value: Any) -> str:
    """A number with as few digits as it needs; a dash for None."""
    if value is None or value == "":
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float) and value != int(value):
        return _minus(f"{value:,.4g}" if abs(value) < 10 else f"{value:,.1f}")
    return _minus(f"{int(value):,}")


@register.simple_tag(takes_context=True)
def with_query(context: Any, **changes: Any) -> str:
    """The page's query string with some parameters changed or, by None, dropped; the cursor goes unless given."""
    query: QueryDict = context["request"].GET.copy()
    query.pop("cursor", None)
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = value
    for name in [name for name, values in query.lists() if not any(values)]:
        del query[name]
    return f"?{query.urlencode()}" if query else "?"
