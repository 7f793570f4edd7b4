"""Lines over false positives per image: through points or whole curves, with bands, on the axes of a FROC."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from deeplesion_site.dashboard.charts import Chart, figure, token

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "hexagon")
RATE, SENSITIVITY = "false positives per image", "sensitivity"

LEFT, RIGHT = -0.62, 1.24
"""Ends of the axis of false positives per image, as powers of ten."""

Layer = tuple[str, Sequence[float], Sequence[float], str]
"""Name, x, y and colour."""


def by_number(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same by growing number: a database may keep the names of an object in an order of its own."""
    return dict(sorted(values.items(), key=lambda item: float(item[0])))


def points(part: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    """Rates and sensitivities that a part of a report tells."""
    values = by_number(part["sensitivity"])
    return [float(point) for point in values], list(values.values())


def lines(
    key: str,
    title: str,
    caption: str,
    layers: Sequence[Layer],
    *,
    names: str = RATE,
    xaxis: dict[str, Any] | None = None,
) -> Chart:
    """A line through points for each layer, and the same as a table whose columns are the layers."""
    traces = [
        line(name, x, y, colour, mode="lines+markers", symbol=SYMBOLS[number % len(SYMBOLS)])
        for number, (name, x, y, colour) in enumerate(layers)
    ]
    layout = axes()
    if xaxis is not None:
        layout["xaxis"] = xaxis
    legend = tuple((name, colour.removeprefix("token:")) for name, _, _, colour in layers)
    columns = layers[0][1] if layers else ()
    rows = [(f"{x:g}", *(y[place] for _, _, y, _ in layers)) for place, x in enumerate(columns)]
    head = (names, *(name for name, _, _, _ in layers))
    return Chart(key, title, caption, head, rows, figure(traces, layout), "middle", legend)


def with_bands(chart: Chart, bands: Sequence[Mapping[str, Sequence[float]]]) -> Chart:
    """Say the 95% band beside every sensitivity; lesions of a single patient have none.

    Parameters
    ----------
    bands : per line its ends by x; empty where there is none.
    """
    columns = []
    for trace, own in zip(chart.figure["data"], bands, strict=True):
        said = [f" ({low:.2f}–{high:.2f})" for low, high in by_number(own).values()]
        trace["customdata"] = said or [""] * len(trace["x"])
        trace["hovertemplate"] = f"{trace['name']}<br>%{{x:.3g}}: %{{y:.3f}}%{{customdata}}<extra></extra>"
        columns.append([f"{value:.3f}{ends}" for value, ends in zip(trace["y"], trace["customdata"], strict=True)])
    rows = [(row[0], *cells) for row, cells in zip(chart.rows, zip(*columns, strict=True), strict=True)]
    told = " The table tells 95% bands over patients." if any(map(bool, bands)) else ""
    return dataclasses.replace(chart, rows=rows, caption=chart.caption + told)


def line(
    name: str, x: Iterable[float], y: Iterable[float], colour: str, *, mode: str = "lines", width: float = 1.8,
    dash: str = "solid", symbol: str = "circle",
) -> dict[str, Any]:  # fmt: skip
    """One trace; it tells its name and numbers to the pointer."""
    return {
        "type": "scatter",
        "mode": mode,
        "name": name,
        "x": list(x),
        "y": list(y),
        "line": {"color": colour, "width": width, "dash": dash},
        "marker": {"color": colour, "size": 7, "symbol": symbol},
        "hovertemplate": f"{name}<br>%{{x:.3g}}: %{{y:.3f}}<extra></extra>",
    }


def band(bands: Mapping[str, Sequence[float]], colour: str) -> list[dict[str, Any]]:
    """The area between the ends of a band."""
    bands = by_number(bands)
    x = [float(point) for point in bands]
    edge = {"type": "scatter", "mode": "lines", "x": x, "hoverinfo": "skip", "line": {"width": 0}}
    low, high = ([values[end] for values in bands.values()] for end in (0, 1))
    return [{**edge, "y": low}, {**edge, "y": high, "fill": "tonexty", "fillcolor": f"{token(colour)}/0.16"}]


def axes() -> dict[str, Any]:
    """Layout with rates in powers of two."""
    return {
        "xaxis": {
            "title": {"text": RATE},
            "type": "log",
            "tickvals": [0.25, 0.5, 1, 2, 4, 8, 16],
            "ticktext": ["¼", "½", "1", "2", "4", "8", "16"],
            "range": [LEFT, RIGHT],
        },
        "yaxis": {"title": {"text": SENSITIVITY}, "range": [0, 1.01], "dtick": 0.2, "tickformat": ".1f"},
    }


def with_curves(chart: Chart, curves: Sequence[Mapping[str, Sequence[float]]]) -> Chart:
    """Draw lines through whole curves instead of their points; a report of an earlier version may have no curve."""
    whole = []
    for trace, curve in zip(chart.figure["data"], curves, strict=True):
        if curve:
            trace["mode"] = "markers"
            x, y = drawn(curve)
            whole.append({**trace, "mode": "lines", "x": x, "y": y, "hoverinfo": "skip", "hovertemplate": None})
    return _behind(chart, whole)


def shaded(chart: Chart, bands: Sequence[Mapping[str, Sequence[float]]], which: str = "these bands") -> Chart:
    """Put areas of bands behind the lines, as many as lie well enough apart; `which`, the caption says."""
    last = chart.figure["data"][-len(bands) :]
    areas = [
        area
        for trace, own in zip(last, bands, strict=True)
        if own
        for area in band(own, trace["line"]["color"].removeprefix(token("")))
    ]
    caption = f"{chart.caption} Shaded: {which}." if areas else chart.caption
    return dataclasses.replace(_behind(chart, areas), caption=caption)


def _behind(chart: Chart, traces: list[dict[str, Any]]) -> Chart:
    return dataclasses.replace(chart, figure={**chart.figure, "data": [*traces, *chart.figure["data"]]})


def drawn(curve: Mapping[str, Sequence[float]]) -> tuple[list[float], list[float]]:
    """A curve on an axis of powers, from its left end on: it comes from the origin, which such an axis does not have.

    Between its points it is straight on an axis of even steps, so bent here.
    """
    x, y = (np.array([0.0, *curve[name]]) for name in ("false_positives", "sensitivity"))
    between = np.geomspace(10**LEFT, 10**RIGHT, 80)
    between = between[(between <= x[-1]) & ~np.isin(between, x)]
    seen = x >= 10**LEFT
    all_x, all_y = np.concatenate([x[seen], between]), np.concatenate([y[seen], np.interp(between, x, y)])
    order = np.argsort(all_x, kind="stable")
    return all_x[order].round(5).tolist(), all_y[order].round(5).tolist()
