"""Figures for Plotly, and the same numbers as a table for those who cannot see them.

Colours are names of style sheet properties (`token:--type-5`), which the page resolves for the theme in use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Pairs = Sequence[tuple[Any, int]]

FEW = 6
"""Counts from which a scale is divided into whole numbers by itself."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One figure of a page."""

    id: str
    title: str
    caption: str
    head: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    figure: dict[str, Any]
    height: str = "medium"
    legend: tuple[tuple[str, str], ...] = ()
    """Name and style sheet property of each layer."""


def token(name: str) -> str:
    """Stand for a colour of the style sheet."""
    return f"token:--{name}"


def type_token(code: int) -> str:
    """The colour of a lesion type."""
    return token("type-unknown" if code == -1 else f"type-{code}")


def bars(
    key: str,
    title: str,
    caption: str,
    pairs: Pairs,
    *,
    names: str,
    values: str,
    colours: Sequence[str] = (),
    horizontal: bool = False,
    shares: bool = False,
    height: str = "medium",
) -> Chart:
    """One bar per name; with `shares` each also says its part of the whole."""
    labels = [str(name) for name, _ in pairs]
    counts = [count for _, count in pairs]
    parts = [share(count, sum(counts)) for count in counts]
    hover = "%{y}: %{x:,}" if horizontal else "%{x}: %{y:,}"
    trace: dict[str, Any] = {
        "type": "bar",
        "orientation": "h" if horizontal else "v",
        "x": counts if horizontal else labels,
        "y": labels if horizontal else counts,
        "marker": {"color": list(colours) or token("figure")},
        "hovertemplate": f"{hover} {values}{' (%{customdata})' if shares else ''}<extra></extra>",
        "text": [f"{count:,} ({part})" if shares else f"{count:,}" for count, part in zip(counts, parts, strict=True)],
        "textposition": "outside" if horizontal else "none",
        "cliponaxis": False,
    }
    if shares:
        trace["customdata"] = parts
    layout = axes(names, values, max(counts, default=0), horizontal=horizontal)
    if horizontal:
        # Each bar carries its number, so the axis need not.
        layout |= {"margin": {"l": 8, "r": 104 if shares else 56, "t": 8, "b": 8}}
        layout["xaxis"]["visible"] = False
    if shares:
        return Chart(
            key, title, caption, (names, values, "share"), list(zip(labels, counts, parts, strict=True)),
            figure([trace], layout), height,
        )  # fmt: skip
    rows = list(zip(labels, counts, strict=True))
    return Chart(key, title, caption, (names, values), rows, figure([trace], layout), height)


def share(part: int, whole: int) -> str:
    """A part of a whole in percent, with a digit after the point where it is small."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"


def stacked(
    key: str,
    title: str,
    caption: str,
    labels: Sequence[str],
    layers: Mapping[str, tuple[Sequence[int], str]],
    *,
    names: str,
    values: str,
    horizontal: bool = False,
    height: str = "tall",
) -> Chart:
    """Bars of several layers: name of the layer, its counts and colour."""
    traces = []
    for layer, (counts, colour) in layers.items():
        along, across = (list(counts), list(labels)) if horizontal else (list(labels), list(counts))
        traces.append(
            {
                "type": "bar",
                "name": layer,
                "orientation": "h" if horizontal else "v",
                "x": along,
                "y": across,
                "marker": {"color": colour},
                "hovertemplate": f"{layer}, %{{{'y' if horizontal else 'x'}}}: "
                f"%{{{'x' if horizontal else 'y'}:,}}<extra></extra>",
            }
        )
    sums = map(sum, zip(*(counts for counts, _ in layers.values()), strict=True))
    layout = {
        **axes(names, values, max(sums, default=0), horizontal=horizontal),
        "barmode": "stack",
    }
    rows = [(label, *(counts[index] for counts, _ in layers.values())) for index, label in enumerate(labels)]
    legend = tuple((layer, colour.removeprefix("token:")) for layer, (_, colour) in layers.items())
    return Chart(key, title, caption, (names, *layers), rows, figure(traces, layout), height, legend)


def axes(names: str, values: str, greatest: int, *, horizontal: bool) -> dict[str, Any]:
    """Layout of the axis of names and the axis of counts, of which `greatest` is the largest."""
    name_axis: dict[str, Any] = {
        "type": "category",
        "showgrid": False,
        "title": {"text": "" if horizontal else names},
    }
    count_axis = {"title": {"text": values}, "rangemode": "tozero", "tickformat": ",~d", **whole_ticks(greatest)}
    if horizontal:
        return {"xaxis": count_axis, "yaxis": name_axis | {"autorange": "reversed"}}
    return {"xaxis": name_axis, "yaxis": count_axis}


def whole_ticks(greatest: int) -> dict[str, Any]:
    """Ticks of a scale of counts: few of them would be divided into halves, which are written as wholes twice."""
    return {"dtick": 1} if greatest < FEW else {}


def figure(data: list[dict[str, Any]], layout: dict[str, Any]) -> dict[str, Any]:
    """What Plotly draws."""
    return {"data": data, "layout": layout}
