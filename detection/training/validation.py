"""A quick look at the validation split while a network is still learning."""

import numpy as np
import torch

from detection.data.dataset import Slices, loader
from detection.data.release import Sample
from detection.evaluation.matching import match
from detection.evaluation.strata import curve_of
from detection.evaluation.tables import Detections, Truth
from detection.network.detector import Detector
from detection.network.sampler import generators

MOST = 200
"""Images that are looked at; a whole split takes as long as an epoch."""
RATE = 4.0
"""False positives per image."""
SENSITIVITY = f"val_sensitivity_{RATE:g}"
BATCH = 8


def some(samples: list[Sample], seed: int) -> list[Sample]:
    """At most MOST samples, chosen by seed and in their order."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(samples))[:MOST])
    return [samples[index] for index in chosen.tolist()]


@torch.no_grad()
def validate(network: Detector, data: Slices, device: torch.device, *, workers: int = 0) -> dict[str, float]:
    """Loss and sensitivity at 4 false positives per image; the network goes on learning afterwards as if unasked.

    Returns
    -------
    `val_loss` and `val_sensitivity_4`.
    """
    network.eval()
    losses, images, found = [], [], []
    picks = [
        [(index, 0) for index in range(start, min(start + BATCH, len(data)))] for start in range(0, len(data), BATCH)
    ]
    for batch in loader(data, picks, workers=workers, pin=device.type == "cuda"):
        shown = batch.to(device)
        learned = network(shown.hu, shown.boxes, generators(0, 0, shown.index))
        losses += [float(learned.total())] * len(shown.index)
        for index, frame, result in zip(shown.index, shown.frames, network(shown.hu), strict=True):
            boxes = frame.to_slice(result.boxes.double().cpu().numpy())
            images += [index] * len(boxes)
            found.append(np.column_stack([boxes, result.scores.double().cpu().numpy()]))
    network.train()
    truth = _truth(data)
    table = np.concatenate(found)
    detections = Detections(np.array(images, dtype=np.int64), table[:, :4], table[:, 4])
    curve = curve_of(truth, detections, match(truth, detections, 0.5, "deeplesion"))
    return {"val_loss": float(np.mean(losses)), SENSITIVITY: float(curve.at([RATE])[0])}


def _truth(data: Slices) -> Truth:
    count = [len(sample.boxes) for sample in data.samples]
    image = np.repeat(np.arange(len(count)), count)
    return Truth(
        names=tuple(sample.file_name for sample in data.samples),
        patients=np.array([sample.patient for sample in data.samples], dtype=np.int64),
        image=image,
        boxes=np.concatenate([sample.boxes for sample in data.samples]),
        types=np.full(len(image), -1),
        sizes=np.zeros(len(image)),
    )
