"""Figures of the detector: losses, FROC with bands, and the paper's Figs. 8 to 11."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from datasets import dl_info
from deeplesion_site.dashboard.charts import Chart, figure, token, type_token
from detection.evaluation.curve import AVERAGED, POINTS
from detection.evaluation.published import NEWER, PUBLISHED
from detection.evaluation.strata import size_labels
from detection.models import Evaluation, TrainingRun
from detection.selectors import Share

OPERATING_POINTS = tuple(f"{point:g}" for point in POINTS)
"""False positives per image that tables tell."""

HEADLINE = tuple(f"{point:g}" for point in AVERAGED)
"""Those whose mean is the usual single number."""

DOUBLING = ("0.5", "1", "2", "4", "8", "16")
"""Those that a figure has a line for."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "star", "hexagon")
STEPS = 8
"""Colours of what has an order, from `step-1` on."""

RATE, SENSITIVITY = "false positives per image", "sensitivity"

LEFT, RIGHT = -0.62, 1.24
"""Ends of the axis of false positives per image, as powers of ten."""

Layer = tuple[str, Sequence[float], Sequence[float], str]
"""Name, x, y and colour."""


def losses(curve: Mapping[str, Any]) -> Chart:
    """Loss against steps, in training and in validation."""
    train, val = curve.get("train", {}), curve.get("val", {})
    steps = train.get("step", [])
    parts = {
        "loss_rpn_class": ("proposals, class", 1),
        "loss_rpn_box": ("proposals, box", 4),
        "loss_head_class": ("head, class", 6),
        "loss_head_box": ("head, box", 8),
    }
    traces = [_line("train", steps, train.get("loss", []), token("figure"), width=2.4)]
    traces += [
        _line(label, steps, train.get(name, []), token(f"step-{colour}"), width=1.1)
        for name, (label, colour) in parts.items()
    ]
    legend = [("train", "--figure"), *((label, f"--step-{colour}") for label, colour in parts.values())]
    if val.get("step"):
        traces.append(
            _line(
                "validation",
                val["step"],
                val["loss"],
                token("type-2"),
                mode="lines+markers",
                width=2.4,
                symbol="diamond",
            )
        )
        legend.insert(1, ("validation", "--type-2"))
    every = max(1, len(steps) // 20)
    rows = [(step, loss) for step, loss in zip(steps, train.get("loss", []), strict=False)][every - 1 :: every]
    layout = {
        "xaxis": {"title": {"text": "step"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "loss"}, "rangemode": "tozero"},
    }
    caption = "Sum of the four losses and its parts, averaged between the points."
    if val.get("sensitivity"):
        found = val["sensitivity"]
        caption += f" Sensitivity in the validation split at 4 false positives per image: {found[-1]:.3f}"
        caption += f", at best {max(found):.3f}." if len(found) > 1 else "."
    return Chart("losses", "Losses", caption, ("step", "train"), rows, figure(traces, layout), "middle", tuple(legend))


def froc(found: Evaluation, *, official: bool) -> Chart:
    """The FROC curve with its band over patients, and what was published."""
    report = found.report
    curve, bands = report["curve"], report.get("bands", {}).get("sensitivity", {})
    rates, hits = _points({"sensitivity": found.sensitivity})
    traces = _band(bands, "figure") if bands else []
    traces.append(_line("this run", *_drawn(curve), token("figure"), width=2.6))
    traces.append(_line("this run", rates, hits, token("figure"), mode="markers", symbol="circle"))
    legend = [("this run, with its 95% band over patients", "--figure")]
    differing, said = _as_published(found, official=official)
    for number, (name, values) in enumerate(PUBLISHED.items()):
        colour = f"step-{2 * number + 2}"
        label = f"{name}{differing}"
        traces.append(
            _line(label, list(values), list(values.values()), token(colour), mode="lines+markers", dash="dot",
                  symbol=SYMBOLS[number + 1])
        )  # fmt: skip
        legend.append((label, f"--{colour}"))
    caption = f"{found.lesions:,} lesions on {found.images:,} images of {found.patients:,} patients, {found}."
    caption += f" Dotted: {said} {NEWER}"
    rows = [(point, value, *bands.get(point, (None, None))) for point, value in by_number(found.sensitivity).items()]
    head = (RATE, SENSITIVITY, "95% from", "to")
    return Chart("froc", "FROC", caption, head, rows, figure(traces, _froc_axes()), "tall", tuple(legend))


def _as_published(found: Evaluation, *, official: bool) -> tuple[str, str]:
    """What to add to the names of published figures, and a sentence on how they compare with an evaluation."""
    if not official:
        told = "published for the test split of DeepLesion, so measured on other data; for orientation only."
        return ", on other data", told
    if (found.convention, found.iou) != ("deeplesion", 0.5):
        told = "published for this split, but at IoU 0.5 in the literature’s convention; for orientation only."
        return ", scored otherwise", told
    return "", "published for this very split."


def by_type(found: Evaluation) -> Chart:
    """Fig. 9."""
    codes = {name: code for code, name in dl_info.TYPES.items()}
    strata = {name: found.report["by_type"][name] for name in codes if name in found.report["by_type"]}
    colours = [type_token(codes[name]) for name in strata]
    caption = "False positives are those of all types, as the network does not name the type. n: lesions."
    return _of_strata("by-type", "By lesion type", caption, strata, colours)


def by_size(found: Evaluation) -> Chart:
    """Fig. 10."""
    strata = {
        f"{_range(name)} mm": found.report["by_size"][name]
        for name in size_labels()
        if name in found.report["by_size"]
    }
    colours = [token(f"step-{number}") for number in range(1, len(strata) + 1)]
    caption = "Mean of long and short diameter; each bin holds its lower edge. n: lesions."
    return _of_strata("by-size", "By lesion size", caption, strata, colours)


def _of_strata(
    key: str, title: str, caption: str, strata: Mapping[str, Mapping[str, Any]], colours: Sequence[str]
) -> Chart:
    """Curves of some of the lesions each, with their points that the table tells; dotted where chance is unknown."""
    layers = [
        (f"{name} (n = {part['lesions']:,})", *_points(part), colour)
        for (name, part), colour in zip(strata.items(), colours, strict=True)
    ]
    bands = [part.get("bands", {}).get("sensitivity", {}) for part in strata.values()]
    if not all(bands):
        caption += " Dotted: without a band, as of lesions of a single patient."
    chart = _with_bands(_lines(key, title, caption, layers), bands)
    for trace, own in zip(chart.figure["data"], bands, strict=True):
        trace["line"]["dash"] = "solid" if own else "dot"
    return _with_curves(chart, [part.get("curve", {}) for part in strata.values()])


def _with_curves(chart: Chart, curves: Sequence[Mapping[str, Sequence[float]]]) -> Chart:
    """Draw lines through whole curves instead of their points; a report of an earlier version may have no curve."""
    lines = []
    for trace, curve in zip(chart.figure["data"], curves, strict=True):
        if curve:
            trace["mode"] = "markers"
            x, y = _drawn(curve)
            lines.append({**trace, "mode": "lines", "x": x, "y": y, "hoverinfo": "skip", "hovertemplate": None})
    return _behind(chart, lines)


def _shaded(chart: Chart, bands: Sequence[Mapping[str, Sequence[float]]]) -> Chart:
    """Put the areas of the bands behind lines that lie well enough apart."""
    points = chart.figure["data"][-len(bands) :]
    areas = [
        area
        for trace, own in zip(points, bands, strict=True)
        if own
        for area in _band(own, trace["line"]["color"].removeprefix(token("")))
    ]
    shaded = _behind(chart, areas)
    return dataclasses.replace(shaded, caption=f"{chart.caption} Shaded: these bands.") if areas else shaded


def _behind(chart: Chart, traces: list[dict[str, Any]]) -> Chart:
    return dataclasses.replace(chart, figure={**chart.figure, "data": [*traces, *chart.figure["data"]]})


def _drawn(curve: Mapping[str, Sequence[float]]) -> tuple[list[float], list[float]]:
    """A curve on an axis of powers, from its left end on: it comes from the origin, which such an axis does not have.

    Between its points it is straight on an axis of even steps, so bent here.
    """
    x, y = (np.array([0.0, *curve[axis]]) for axis in ("false_positives", "sensitivity"))
    between = np.geomspace(10**LEFT, 10**RIGHT, 80)
    between = between[(between <= x[-1]) & ~np.isin(between, x)]
    seen = x >= 10**LEFT
    all_x, all_y = np.concatenate([x[seen], between]), np.concatenate([y[seen], np.interp(between, x, y)])
    order = np.argsort(all_x, kind="stable")
    return all_x[order].round(5).tolist(), all_y[order].round(5).tolist()


def by_iou(found: Evaluation) -> Chart:
    """Fig. 11."""
    strata = by_number(found.report["by_iou"])
    thresholds = [float(iou) for iou in strata]
    layers = [
        (f"{point} FP", thresholds, [part["sensitivity"][point] for part in strata.values()], token(f"step-{number}"))
        for number, point in enumerate(DOUBLING, start=1)
    ]
    bands = [
        {iou: part["bands"]["sensitivity"][point] for iou, part in strata.items() if "bands" in part}
        for point in DOUBLING
    ]
    caption = "How much a detection must overlap a lesion to hit it, at several rates of false positives per image."
    axis = {"title": {"text": "IoU threshold"}, "dtick": 0.1, "range": [thresholds[0] - 0.02, thresholds[-1] + 0.02]}
    chart = _lines("by-iou", "By overlap", caption, layers, names="IoU", xaxis=axis)
    return _shaded(_with_bands(chart, bands), bands)


def by_share(shares: Sequence[Share]) -> Chart:
    """Fig. 8."""
    found = [each.evaluation for each in shares]
    layers = [
        (f"{100 * each.run.fraction:g}% (run {each.run_id})", *_points({"sensitivity": each.sensitivity}),
         token(f"step-{1 + number % STEPS}"))
        for number, each in enumerate(found)
    ]  # fmt: skip
    caption = "Detectors made the same way from a share of the training patients"
    # A seed draws its shares one within the other; those of another are of other patients.
    one_seed = len({each.run.seed for each in found}) == 1
    caption += "; a smaller share is part of a larger one." if one_seed else ", which were drawn by different seeds."
    chart = _lines("by-share", "By share of training data", caption, layers)
    bands = [each.bands for each in shares]
    return _shaded(_with_curves(_with_bands(chart, bands), [each.curve for each in shares]), bands)


def two_runs(pair: Sequence[tuple[TrainingRun, Evaluation]]) -> Chart:
    """FROC of two runs with their bands."""
    traces: list[dict[str, Any]] = []
    legend = []
    colours = ("figure", "type-2")
    for (run, found), colour in zip(pair, colours, strict=True):
        traces += _band(found.report.get("bands", {}).get("sensitivity", {}), colour)
        traces.append(_line(str(run), *_drawn(found.report["curve"]), token(colour), width=2.6))
        legend.append((f"{run}, {run.preset}", f"--{colour}"))
    rows = [(point, *(found.sensitivity[point] for _, found in pair)) for point in OPERATING_POINTS]
    head = (RATE, *(str(run) for run, _ in pair))
    caption = "Bands: 95% over patients, for each run by itself."
    return Chart("two-runs", "FROC", caption, head, rows, figure(traces, _froc_axes()), "tall", tuple(legend))


def by_number(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same by growing number: a database may keep the names of an object in an order of its own."""
    return dict(sorted(values.items(), key=lambda item: float(item[0])))


def _points(part: Mapping[str, Any]) -> tuple[list[float], list[float]]:
    values = by_number(part["sensitivity"])
    return [float(point) for point in values], list(values.values())


def _lines(
    key: str,
    title: str,
    caption: str,
    layers: Sequence[Layer],
    *,
    names: str = RATE,
    xaxis: dict[str, Any] | None = None,
) -> Chart:
    traces = [
        _line(name, x, y, colour, mode="lines+markers", symbol=SYMBOLS[number % len(SYMBOLS)])
        for number, (name, x, y, colour) in enumerate(layers)
    ]
    layout = _froc_axes()
    if xaxis is not None:
        layout["xaxis"] = xaxis
    legend = tuple((name, colour.removeprefix("token:")) for name, _, _, colour in layers)
    columns = layers[0][1] if layers else ()
    rows = [(f"{x:g}", *(y[place] for _, _, y, _ in layers)) for place, x in enumerate(columns)]
    head = (names, *(name for name, _, _, _ in layers))
    return Chart(key, title, caption, head, rows, figure(traces, layout), "middle", legend)


def _with_bands(chart: Chart, bands: Sequence[Mapping[str, Sequence[float]]]) -> Chart:
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
        columns.append([f"{value:.3f}{band}" for value, band in zip(trace["y"], trace["customdata"], strict=True)])
    rows = [(row[0], *cells) for row, cells in zip(chart.rows, zip(*columns, strict=True), strict=True)]
    told = " The table tells 95% bands over patients." if any(map(bool, bands)) else ""
    return dataclasses.replace(chart, rows=rows, caption=chart.caption + told)


def _line(
    name: str, x: Iterable[float], y: Iterable[float], colour: str, *, mode: str = "lines", width: float = 1.8,
    dash: str = "solid", symbol: str = "circle",
) -> dict[str, Any]:  # fmt: skip
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


def _band(bands: Mapping[str, Sequence[float]], colour: str) -> list[dict[str, Any]]:
    """The area between the ends of a band."""
    bands = by_number(bands)
    x = [float(point) for point in bands]
    edge = {"type": "scatter", "mode": "lines", "x": x, "hoverinfo": "skip", "line": {"width": 0}}
    low, high = ([values[end] for values in bands.values()] for end in (0, 1))
    return [{**edge, "y": low}, {**edge, "y": high, "fill": "tonexty", "fillcolor": f"{token(colour)}/0.16"}]


def _froc_axes() -> dict[str, Any]:
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


def _range(name: str) -> str:
    return name.replace("-", "–").replace(">=", "≥ ").replace("<", "< ")
