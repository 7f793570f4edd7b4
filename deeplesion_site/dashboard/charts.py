"""Figures for Plotly, and the same numbers as a table for those who cannot see them.

Colours are names of style sheet properties (`token:--type-5`), which the page resolves for the theme in use.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datasets import dl_info
from datasets.selectors.statistics import SIZE_BINS, BoxSizes

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
    layout = _axes(names, values, max(counts, default=0), horizontal=horizontal)
    if horizontal:
        # Each bar carries its number, so the axis need not.
        layout |= {"margin": {"l": 8, "r": 104 if shares else 56, "t": 8, "b": 8}}
        layout["xaxis"]["visible"] = False
    if shares:
        return Chart(
            key, title, caption, (names, values, "share"), list(zip(labels, counts, parts, strict=True)),
            _figure([trace], layout), height,
        )  # fmt: skip
    rows = list(zip(labels, counts, strict=True))
    return Chart(key, title, caption, (names, values), rows, _figure([trace], layout), height)


def share(part: int, whole: int) -> str:
    """A part of a whole in percent, with a digit after the point where it is small."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"


def types(found: dict[int, int]) -> Chart:
    """Lesions per coarse type, most frequent first, unknown last."""
    pairs = sorted(
        ((code, count) for code, count in found.items() if count), key=lambda item: (item[0] == -1, -item[1])
    )
    return bars(
        "types",
        "Lesion types",
        "Lesions per coarse type.",
        [(dl_info.TYPES[code], count) for code, count in pairs],
        names="type",
        values="lesions",
        colours=[type_token(code) for code, _ in pairs],
        horizontal=True,
    )


def sizes(by_type: dict[int, list[int]]) -> Chart:
    """Lesions per bin of the mean diameter."""
    sums = [sum(column) for column in zip(*by_type.values(), strict=True)]
    return bars(
        "sizes",
        "Lesion sizes",
        "Mean of long and short diameter; each bin holds its lower edge.",
        list(zip((label for label, _, _ in SIZE_BINS), sums, strict=True)),
        names="mean diameter (mm)",
        values="lesions",
    )


def sizes_by_type(by_type: dict[int, list[int]]) -> Chart:
    """The same, stacked by type."""
    labels = [label for label, _, _ in SIZE_BINS]
    shown = {code: counts for code, counts in by_type.items() if any(counts)}
    return stacked(
        "sizes-by-type",
        "Lesion sizes by type",
        "Mean of long and short diameter per coarse type; each bin holds its lower edge.",
        labels,
        {dl_info.TYPES[code]: (counts, type_token(code)) for code, counts in shown.items()},
        names="mean diameter (mm)",
        values="lesions",
    )


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
        **_axes(names, values, max(sums, default=0), horizontal=horizontal),
        "barmode": "stack",
    }
    rows = [(label, *(counts[index] for counts, _ in layers.values())) for index, label in enumerate(labels)]
    legend = tuple((layer, colour.removeprefix("token:")) for layer, (_, colour) in layers.items())
    return Chart(key, title, caption, (names, *layers), rows, _figure(traces, layout), height, legend)


def box_sizes(found: BoxSizes) -> Chart:
    """Width against height of the boxes (Fig. 6 of the paper)."""
    step, limit, cells = found.step, found.limit, len(found.grid)
    centres = [(index + 0.5) * step for index in range(cells)]
    trace = {
        "type": "heatmap",
        "x": centres,
        "y": centres,
        "z": [[count or None for count in line] for line in found.grid],
        "colorscale": "scale:figure",
        "hovertemplate": f"width %{{x:g}} ± {step / 2:g} mm, height %{{y:g}} ± {step / 2:g} mm: %{{z:,}} lesions"
        "<extra></extra>",
        "colorbar": {
            "title": {"text": "lesions"},
            "thickness": 10,
            "outlinewidth": 0,
            "len": 0.8,
            **_whole(max(map(max, found.grid), default=0)),
        },
        "xgap": 1,
        "ygap": 1,
    }
    axis = {"range": [0, limit], "constrain": "domain", "showgrid": False}
    layout = {
        "xaxis": {"title": {"text": "width (mm)"}, **axis},
        "yaxis": {"title": {"text": "height (mm)"}, "scaleanchor": "x", **axis},
    }
    caption = (
        f"Boxes around the axes, 5 px wider on every side, in squares of {step} mm. "
        f"Median {found.median[0]:.1f} mm wide, {found.median[1]:.1f} mm high."
    )
    if found.larger:
        caption += (
            f" Cut off at {limit} mm: {found.larger:,} larger {'boxes are' if found.larger > 1 else 'box is'} not "
            f"drawn (up to {found.largest[0]:.0f} mm wide, {found.largest[1]:.0f} mm high)."
        )
    coarse = max(1, math.ceil(cells / 6))
    starts = range(0, cells, coarse)
    head = ("height (mm)", *(f"width {at * step}–{min(at + coarse, cells) * step}" for at in starts))
    rows = [
        (
            f"{top * step}–{min(top + coarse, cells) * step}",
            *(sum(sum(line[left : left + coarse]) for line in found.grid[top : top + coarse]) for left in starts),
        )
        for top in starts
    ]
    return Chart("boxes", "Box sizes", caption, head, rows, _figure([trace], layout), "tall")


def intervals(found: Sequence[tuple[float | None, int]]) -> Chart:
    """Lesions per slice interval."""
    pairs = [("unknown" if interval is None else f"{interval:g}", count) for interval, count in found]
    return bars(
        "intervals",
        "Slice intervals",
        "Lesions per distance between neighbouring slices, to three significant digits.",
        pairs,
        names="slice interval (mm)",
        values="lesions",
        shares=True,
    )


MODALITIES = {
    "CT": "computed tomography",
    "MR": "magnetic resonance",
    "NM": "nuclear medicine",
    "CR": "computed radiography",
    "DX": "digital radiography",
    "PT": "positron emission tomography",
    "US": "ultrasound",
    "XA": "X-ray angiography",
    "MG": "mammography",
}


def modalities(found: Pairs) -> Chart:
    """Bookmarks per modality (Fig. 4 of the paper)."""
    named = ", ".join(f"{code} {MODALITIES[code]}" for code, _ in found if code in MODALITIES)
    return bars(
        "modalities",
        "Modalities",
        f"Bookmarks by the modality of the image they mark{': ' if named else ''}{named}.",
        found,
        names="modality",
        values="bookmarks",
        horizontal=True,
        shares=True,
    )


def ages(table: dict[str, list[int]]) -> Chart:
    """Patients per decade and sex."""
    labels = [f"{start}–{start + 9}" for start in range(0, 90, 10)] + ["≥ 90", "unknown"]
    if not any(counts[-1] for counts in table.values()):
        labels = labels[:-1]
    names = {"F": ("female", "sex-f"), "M": ("male", "sex-m"), "": ("unknown", "type-unknown")}
    layers = {
        label: (table[sex][: len(labels)], token(colour)) for sex, (label, colour) in names.items() if any(table[sex])
    }
    return stacked(
        "ages",
        "Age and sex",
        "Patients by their age at the latest study with a lesion.",
        labels,
        layers,
        names="age (years)",
        values="patients",
    )


def tools(found: Sequence[tuple[str, int, int]]) -> Chart:
    """Annotation tools of the bookmarks on CT (Fig. 5 of the paper)."""
    whole = sum(kept + other for _, kept, other in found)
    chart = stacked(
        "tools",
        "Annotation tools",
        "Bookmarks on CT by the tool that drew them with its share, and whether they became a lesion.",
        [f"{name}, {share(kept + other, whole)}" for name, kept, other in found],
        {
            "became a lesion": ([kept for _, kept, _ in found], token("figure")),
            "did not": ([other for _, _, other in found], token("figure-soft")),
        },
        names="tool",
        values="bookmarks",
        horizontal=True,
        height="middle",
    )
    rows = [(name, kept, other, share(kept + other, whole)) for name, kept, other in found]
    return replace(chart, head=(*chart.head, "share"), rows=rows)


def splits_by_type(table: dict[int, dict[int, int]]) -> Chart:
    """Lesions of a release per split, stacked by type."""
    shown = {code: counts for code, counts in table.items() if any(counts.values())}
    return stacked(
        "splits",
        "Lesions per split and type",
        "Patients, not lesions, were divided: no patient is in two splits.",
        list(dl_info.SPLITS.values()),
        {dl_info.TYPES[code]: (list(counts.values()), type_token(code)) for code, counts in shown.items()},
        names="split",
        values="lesions",
        horizontal=True,
    )


def _axes(names: str, values: str, greatest: int, *, horizontal: bool) -> dict[str, Any]:
    """Layout of the axis of names and the axis of counts, of which `greatest` is the largest."""
    name_axis: dict[str, Any] = {
        "type": "category",
        "showgrid": False,
        "title": {"text": "" if horizontal else names},
    }
    count_axis = {"title": {"text": values}, "rangemode": "tozero", "tickformat": ",~d", **_whole(greatest)}
    if horizontal:
        return {"xaxis": count_axis, "yaxis": name_axis | {"autorange": "reversed"}}
    return {"xaxis": name_axis, "yaxis": count_axis}


def _whole(greatest: int) -> dict[str, Any]:
    """Ticks of a scale of counts: few of them would be divided into halves, which are written as wholes twice."""
    return {"dtick": 1} if greatest < FEW else {}


def _figure(data: list[dict[str, Any]], layout: dict[str, Any]) -> dict[str, Any]:
    return {"data": data, "layout": layout}
