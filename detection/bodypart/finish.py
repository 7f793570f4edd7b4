"""From trained weights to a model: its scale, what it has seen, and how it does on patients it has not seen."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detection.bodypart import anchor, familiar, measures
from detection.bodypart.errors import TooFewSeries
from detection.bodypart.lines import local_line, theil_sen
from detection.bodypart.model import BATCH, Model
from detection.bodypart.network import Regressor
from detection.bodypart.series import WINDOW_MM
from detection.bodypart.settings import Preset
from detection.bodypart.slices import Pictures, Volume

MOST = 400
"""Series that scale, familiarity and figures are taken from."""


@torch.inference_mode()
def finish(
    network: Regressor,
    preset: Preset,
    learned: Sequence[Volume],
    checked: Sequence[Volume],
    pictures: Pictures,
    record: dict[str, Any],
    device: str,
    progress: Callable[[int, int, str, str], None] | None = None,
) -> Model:
    """Complete a model.

    Parameters
    ----------
    learned, checked : training and validation series; `pictures` holds them in this order.
    record : facts of the run, to which the validation's figures are added.
    progress : called with series scored and in all.

    Raises
    ------
    TooFewSeries : the scores do not grow along the series, so nothing was learned.
    """
    network.eval()
    series = [*learned, *checked]
    chosen = np.unique(np.linspace(0, len(learned) - 1, min(len(learned), MOST)).astype(int)).tolist()
    chosen += list(range(len(learned), min(len(series), len(learned) + MOST)))
    features: dict[int, Tensor] = {}
    for index in chosen:
        features[index] = _features(network, pictures.whole(index), device)
        if progress is not None:
            progress(len(features), len(chosen), "series scored", "")
    scores: dict[int, NDArray[np.float64]] = {
        index: network.head(each.to(device)).squeeze(1).double().cpu().numpy() for index, each in features.items()
    }
    slopes = [theil_sen(series[index].millimetres(), scores[index])[0] for index in chosen if series[index].interval]
    slope = float(np.median(slopes)) if slopes else 0.0
    if slope <= 0:
        raise TooFewSeries("nothing was learned: scores do not grow along the series; train longer or on more series")
    raw, z, kinds = [], [], []
    for index in chosen:
        place = {number: at for at, number in enumerate(series[index].numbers)}
        for mark in series[index].marks:
            if mark.slice in place:
                raw.append(float(scores[index][place[mark.slice]]))
                z.append(mark.z)
                kinds.append(mark.type)
    scale = anchor.fit(raw, z, kinds, slope)
    all_z = scale.map(np.concatenate([scores[index] for index in chosen]))
    validation = [(scores[index], series[index].millimetres()) for index in chosen if index >= len(learned)]
    record["validation_monotonic"] = measures.monotonic_share(validation)
    record["validation_smoothed_monotonic"] = measures.monotonic_share(
        [(local_line(mm, each, WINDOW_MM, np.isfinite(each)), mm) for each, mm in validation]
    )
    return Model(
        network=network,
        preset=preset,
        anchor=scale,
        familiarity=familiar.learn(
            torch.cat([features[index] for index in chosen if index < len(learned)]),
            torch.cat([features[index] for index in chosen if index >= len(learned)]),
        ),
        known=(float(np.quantile(all_z, 0.005)), float(np.quantile(all_z, 0.995))),
        record=record,
    ).to(device)


def _features(network: Regressor, greys: NDArray[np.uint8], device: str) -> Tensor:
    parts = [torch.from_numpy(greys[at : at + BATCH]).to(device) for at in range(0, len(greys), BATCH)]
    return torch.cat([network.features(part).cpu() for part in parts])
