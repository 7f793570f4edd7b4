"""What a dataset holds, as figures: lesions by type and size, slices by interval, patients by age, marks by tool."""

import math
from collections.abc import Sequence
from dataclasses import replace

from datasets import dl_info
from datasets.selectors.statistics import SIZE_BINS, BoxSizes
from deeplesion_site.dashboard.charts import Chart, Pairs, bars, figure, share, stacked, token, type_token, whole_ticks


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
            **whole_ticks(max(map(max, found.grid), default=0)),
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
    return Chart("boxes", "Box sizes", caption, head, rows, figure([trace], layout), "tall")


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
