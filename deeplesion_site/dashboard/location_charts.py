"""Figures of a body-part regressor: how it learned, and heights along series as its authors show them."""

from collections.abc import Sequence
from typing import Any

from datasets.selectors.regressors import Curve
from deeplesion_site.dashboard.charts import Chart, token

COLOURS = ("type-5", "type-2", "type-7", "type-3", "type-6", "type-8")
_ROWS = 12


def learning(curve: dict[str, list[float]]) -> Chart:
    """Both losses over the steps."""
    names = {"order_loss": ("order loss", "figure"), "distance_loss": ("distance loss", "type-2")}
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": curve["step"],
            "y": curve[key],
            "line": {"color": token(colour), "width": 1.5},
            "hovertemplate": f"{name} %{{y:.3f}} at step %{{x:,}}<extra></extra>",
        }
        for key, (name, colour) in names.items()
    ]
    layout = {
        "xaxis": {"title": {"text": "step"}, "tickformat": ",~d"},
        "yaxis": {"title": {"text": "loss"}, "rangemode": "tozero"},
    }
    chosen = range(0, len(curve["step"]), max(1, len(curve["step"]) // _ROWS))
    rows = [(str(curve["step"][at]), *(round(curve[key][at], 3) for key in names)) for at in chosen]
    return Chart(
        "learning",
        "Training curve",
        "Order: neighbours score higher towards the feet. Distance: steps of the score are distances along the body, "
        "the same in every patient. Each point is one batch.",
        ("step", *(name for name, _ in names.values())),
        rows,
        {"data": traces, "layout": layout},
        "middle",
        tuple((name, f"--{colour}") for name, colour in names.values()),
    )


def along(curves: Sequence[Curve]) -> Chart:
    """Score against slice position."""
    traces: list[dict[str, Any]] = []
    for curve, colour in zip(curves, COLOURS, strict=False):
        common = {"type": "scatter", "name": curve.folder, "x": curve.mm}
        text = f"{curve.folder}<br>%{{x:.0f}} mm: z %{{y:.3f}}<extra></extra>"
        traces += [
            common
            | {
                "mode": "markers",
                "y": curve.single,
                "marker": {"color": token(colour), "size": 4, "opacity": 0.5},
                "hovertemplate": text,
            },
            common
            | {
                "mode": "lines",
                "y": curve.smoothed,
                "line": {"color": token(colour), "width": 2},
                "hovertemplate": text,
            },
        ]
    layout = {
        "xaxis": {"title": {"text": "position from the first slice (mm)"}, "tickformat": ",~d"},
        "yaxis": {"title": {"text": "z (0 head, 1 feet)"}, "autorange": "reversed"},
    }
    rows = [
        (f"{curve.folder} ({curve.split})", curve.finding, len(curve.mm), *_ends(curve.smoothed)) for curve in curves
    ]
    return Chart(
        "along",
        "Score against slice position",
        "Series of patients that took no part in the training. Dots: each slice by itself; lines: smoothed along the "
        "series, as lesions get it; no line where no place is believed.",
        ("series", "finding", "slices", "z from", "z to"),
        rows,
        {"data": traces, "layout": layout},
        "middle",
        tuple(
            (f"{curve.folder} ({curve.split})", f"--{colour}") for curve, colour in zip(curves, COLOURS, strict=False)
        ),
    )


def _ends(heights: Sequence[float | None]) -> tuple[str, str]:
    known = [z for z in heights if z is not None]
    return (f"{known[0]:.3f}", f"{known[-1]:.3f}") if known else ("–", "–")
