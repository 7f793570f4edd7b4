"""How shares, times and bands of the detector are written on pages. No tag asks the database."""

import json
import shlex
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from detection.models import Evaluation, TrainingRun

register = template.Library()


@register.filter
def share(value: float | None) -> str:
    """A sensitivity with three digits; a dash for None."""
    return "–" if value is None else f"{value:.3f}"


@register.filter
def percent(value: float) -> str:
    """A share as percent, with no more digits than it needs."""
    return f"{100 * value:g}%"


@register.filter
def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.3f}".replace("-", "\u2212")


@register.filter
def duration(seconds: float | None) -> str:
    """A span of time in the one or two units that tell it."""
    if not seconds:
        return "–"
    whole = round(seconds)
    for name, unit, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // part} {smaller}"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


@register.filter
def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return text and f"{text[0].upper()}{text[1:].rstrip('.')}."


@register.filter
def as_json(value: Any) -> str:
    """JSON as text, which the template escapes."""
    return json.dumps(value)


@register.filter
def options_of(run: TrainingRun) -> str:
    """What was asked for beyond the preset, in words; nothing where it is the preset."""
    said = (name if value is True else f"{name} {value}" for name, value in sorted(run.options.items()))
    return ", ".join(said).replace("_", " ")


@register.filter
def going_on(run: TrainingRun) -> str:
    """The command that goes on with a run: with all that decides its result, as anything else would be another run."""
    asked = {"preset": run.preset, "seed": run.seed, "fraction": run.fraction, "weights": run.start_weights}
    words = ["manage.py", "train", run.release]
    for name, value in (asked | run.options).items():
        words += [f"--{name.replace('_', '-')}"] if value is True else [f"--{name.replace('_', '-')}", f"{value}"]
    return shlex.join(words)


@register.simple_tag
def band(found: Evaluation) -> SafeString:
    """The average's band as a small drawing from 0 to 1; decoration beside the number."""
    if found.average_low is None or found.average_high is None:
        return format_html("")
    return format_html(
        '<svg class="band" viewBox="0 0 100 12" aria-hidden="true"><path class="rail" d="M0 6h100"/>'
        '<path class="range" d="M{} 6H{}"/><circle cx="{}" cy="6" r="4"/></svg>',
        *(f"{100 * value:.1f}" for value in (found.average_low, found.average_high, found.average_sensitivity or 0)),
    )


@register.simple_tag
def difference_bar(found: dict[str, float]) -> SafeString:
    """The band of a difference around zero; decoration beside the numbers."""
    furthest = max(abs(found["low"]), abs(found["high"]), 0.05) * 1.15
    places = [f"{50 + 50 * found[name] / furthest:.1f}" for name in ("low", "high", "difference")]
    return format_html(
        '<svg class="band wide" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="rail" d="M0 6h100"/><path class="zero" d="M50 0v12"/><path class="range" d="M{} 6H{}"/>'
        '<path class="point" d="M{} 6h0"/></svg>',
        *places,
    )


@register.filter
def at(sensitivity: dict[str, float], point: str) -> float | None:
    """Sensitivity at a rate of false positives."""
    return sensitivity.get(point)
