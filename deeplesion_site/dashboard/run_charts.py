"""Figures of the detector: losses, FROC with bands, and the paper's Figs. 8 to 11."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from datasets import dl_info
from deeplesion_site.dashboard import froc_lines
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

MOST_PERCENT, HEADROOM = 98, 1.15
"""Of the training's losses, how many a figure shows for sure, and how much higher it is."""

BAND_AT = "4"
"""False positives per image whose band is drawn where many lines lie close together."""

STEPS = 8
"""Colours of what has an order, from `step-1` on."""


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
    traces = [froc_lines.line("train", steps, train.get("loss", []), token("figure"), width=2.4)]
    traces += [
        froc_lines.line(label, steps, train.get(name, []), token(f"step-{colour}"), width=1.1)
        for name, (label, colour) in parts.items()
    ]
    legend = [("train", "--figure"), *((label, f"--step-{colour}") for label, colour in parts.values())]
    if val.get("step"):
        traces.append(
            froc_lines.line(
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
    top, highest = _top_of(train.get("loss", []), val.get("loss", []))
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "step"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "loss"}, "rangemode": "tozero"},
    }
    caption = "Sum of the four losses and its parts, averaged between the points."
    if highest > top:
        layout["yaxis"]["range"] = [0, top]
        caption += f" Peaks go beyond the figure, up to {highest:.3g}."
    if val.get("sensitivity"):
        found = val["sensitivity"]
        caption += f" Sensitivity in the validation split at 4 false positives per image: {found[-1]:.3f}"
        caption += f", at best {max(found):.3f}." if len(found) > 1 else "."
    return Chart("losses", "Losses", caption, ("step", "train"), rows, figure(traces, layout), "middle", tuple(legend))


def _top_of(train: Sequence[float], val: Sequence[float]) -> tuple[float, float]:
    """Upper end of the axis of losses, and the highest of them.

    A peak, as of a validation that came early, would press everything else to the floor: the axis ends above nearly
    all of the training, and above what both came to.
    """
    if not len(train):
        return 0.0, 0.0
    last = [values[-1] for values in (train, val) if len(values)]
    return HEADROOM * max(float(np.percentile(train, MOST_PERCENT)), *last), max([*train, *val])


def froc(found: Evaluation, *, official: bool) -> Chart:
    """The FROC curve with its band over patients, and what was published."""
    report = found.report
    curve, bands = report["curve"], report.get("bands", {}).get("sensitivity", {})
    rates, hits = froc_lines.points({"sensitivity": found.sensitivity})
    traces = froc_lines.band(bands, "figure") if bands else []
    traces.append(froc_lines.line("this run", *froc_lines.drawn(curve), token("figure"), width=2.6))
    traces.append(froc_lines.line("this run", rates, hits, token("figure"), mode="markers", symbol="circle"))
    legend = [("this run, with its 95% band over patients", "--figure")]
    differing, said = _as_published(found, official=official)
    for number, (name, values) in enumerate(PUBLISHED.items()):
        colour = f"step-{2 * number + 2}"
        label = f"{name}{differing}"
        symbol = froc_lines.SYMBOLS[number + 1]
        x, y = list(values), list(values.values())
        traces.append(froc_lines.line(label, x, y, token(colour), mode="lines+markers", dash="dot", symbol=symbol))
        legend.append((label, f"--{colour}"))
    caption = f"{found.lesions:,} lesions on {found.images:,} images of {found.patients:,} patients, {found}."
    caption += f" Dotted: {said} {NEWER}"
    rows = [
        (point, value, *bands.get(point, (None, None)))
        for point, value in froc_lines.by_number(found.sensitivity).items()
    ]
    head = (froc_lines.RATE, froc_lines.SENSITIVITY, "95% from", "to")
    return Chart("froc", "FROC", caption, head, rows, figure(traces, froc_lines.axes()), "tall", tuple(legend))


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
        (f"{name} (n = {part['lesions']:,})", *froc_lines.points(part), colour)
        for (name, part), colour in zip(strata.items(), colours, strict=True)
    ]
    bands = [part.get("bands", {}).get("sensitivity", {}) for part in strata.values()]
    if not all(bands):
        caption += " Dotted: without a band, as of lesions of a single patient."
    chart = froc_lines.with_bands(froc_lines.lines(key, title, caption, layers), bands)
    for trace, own in zip(chart.figure["data"], bands, strict=True):
        trace["line"]["dash"] = "solid" if own else "dot"
    return froc_lines.with_curves(chart, [part.get("curve", {}) for part in strata.values()])


def by_iou(found: Evaluation) -> Chart:
    """Fig. 11."""
    strata = froc_lines.by_number(found.report["by_iou"])
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
    chart = froc_lines.lines("by-iou", "By overlap", caption, layers, names="IoU", xaxis=axis)
    chosen = [own if point == BAND_AT else {} for point, own in zip(DOUBLING, bands, strict=True)]
    return froc_lines.shaded(froc_lines.with_bands(chart, bands), chosen, f"the band at {BAND_AT} FP")


def by_share(shares: Sequence[Share]) -> Chart:
    """Fig. 8."""
    found = [each.evaluation for each in shares]
    layers = [
        (f"{100 * each.run.fraction:g}% (run {each.run_id})", *froc_lines.points({"sensitivity": each.sensitivity}),
         token(f"step-{1 + number % STEPS}"))
        for number, each in enumerate(found)
    ]  # fmt: skip
    caption = "Detectors made the same way from a share of the training patients"
    # A seed draws its shares one within the other; those of another are of other patients.
    one_seed = len({each.run.seed for each in found}) == 1
    caption += "; a smaller share is part of a larger one." if one_seed else ", which were drawn by different seeds."
    chart = froc_lines.lines("by-share", "By share of training data", caption, layers)
    bands = [each.bands for each in shares]
    drawn = froc_lines.with_curves(froc_lines.with_bands(chart, bands), [each.curve for each in shares])
    return froc_lines.shaded(drawn, bands)


def two_runs(pair: Sequence[tuple[TrainingRun, Evaluation]]) -> Chart:
    """FROC of two runs with their bands."""
    traces: list[dict[str, Any]] = []
    legend = []
    colours = ("figure", "type-2")
    for (run, found), colour in zip(pair, colours, strict=True):
        traces += froc_lines.band(found.report.get("bands", {}).get("sensitivity", {}), colour)
        traces.append(froc_lines.line(str(run), *froc_lines.drawn(found.report["curve"]), token(colour), width=2.6))
        legend.append((f"{run}, {run.preset}", f"--{colour}"))
    rows = [(point, *(found.sensitivity[point] for _, found in pair)) for point in OPERATING_POINTS]
    head = (froc_lines.RATE, *(str(run) for run, _ in pair))
    caption = "Bands: 95% over patients, for each run by itself."
    return Chart("two-runs", "FROC", caption, head, rows, figure(traces, froc_lines.axes()), "tall", tuple(legend))


def _range(name: str) -> str:
    return name.replace("-", "–").replace(">=", "≥ ").replace("<", "< ")
