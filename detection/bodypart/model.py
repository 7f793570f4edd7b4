"""A trained regressor as one file: weights, the map to DeepLesion's scale, what it has seen, and its version."""

import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detection import torch_file
from detection.bodypart.anchor import Anchor
from detection.bodypart.errors import NotAModel, OtherVersion
from detection.bodypart.familiar import NOISIEST, Familiarity, noise
from detection.bodypart.network import Regressor
from detection.bodypart.series import SeriesScores, judge
from detection.bodypart.settings import Preset
from detection.bodypart.slices import Picture, picture

FORMAT = 3
"""Of the file; grows when a reader of another version would misread it, as with another window of HU. 3: pictures are
shrunk before they are windowed."""
BATCH = 16
"""Slices scored at once. What becomes of more does not fit a processor's cache, and takes longer in all."""
LEAST_TISSUE = 0.01
"""Part of a picture above the window's low end below which the slice is empty."""


@dataclass
class Model:
    """A regressor that is ready to score.

    Attributes
    ----------
    known : least and greatest z of the slices it was trained on.
    record : release, seed, steps and figures of its training, for people.
    """

    network: Regressor
    preset: Preset
    anchor: Anchor
    familiarity: Familiarity
    known: tuple[float, float]
    record: dict[str, Any]
    device: str = "cpu"

    @property
    def version(self) -> str:
        """Name of the model by what it computes: preset, and a hash over weights, map and limits."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        for tensor in (self.familiarity.mean, self.familiarity.whitening):
            digest.update(tensor.cpu().numpy().tobytes())
        settings = dataclasses.astuple(self.anchor), dataclasses.astuple(self.preset)
        digest.update(json.dumps([*settings, self.known, self.familiarity.limit]).encode())
        return f"bpr-{self.preset.name}-{digest.hexdigest()[:12]}"

    @property
    def facts(self) -> dict[str, Any]:
        """Version, scale, range and record, ready for JSON."""
        scale = dataclasses.asdict(self.anchor)
        return {"version": self.version, "anchor": scale, "known": list(self.known), **self.record}

    def score(
        self, slices: Iterable[tuple[int, NDArray[np.generic]]], interval: float | None, version: str | None = None
    ) -> SeriesScores:
        """Score the slices of one series.

        Parameters
        ----------
        slices : slice number (ascending from the head where the series is as it should be) and HU, (rows, columns).
        interval : mm between slice numbers; None if unknown.
        version : spares hashing where the caller keeps it.

        Returns
        -------
        Raw scores, z and a finding; z is NaN where no location can be believed.
        """
        numbers: list[int] = []

        def pictures() -> Iterator[Picture]:
            for number, hu in slices:
                numbers.append(number)
                yield picture(hu, self.preset.size)

        raw, familiar = self.score_pictures(pictures())
        return judge(
            np.array(numbers, dtype=np.int64),
            raw,
            self.anchor.map(raw),
            familiar,
            interval,
            self.known,
            version or self.version,
        )

    @torch.inference_mode()
    def score_pictures(self, pictures: Iterable[Picture]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Score pictures in batches: raw scores, NaN on empty slices, and which ones look familiar."""
        raw: list[NDArray[np.float64]] = []
        familiar: list[NDArray[np.bool_]] = []
        for batch in _batches(pictures):
            greys = torch.from_numpy(batch).to(self.device)
            features = self.network.features(greys)
            scores = self.network.head(features).squeeze(1).double().cpu().numpy()
            scores[(batch > 0).mean(axis=(1, 2)) < LEAST_TISSUE] = np.nan
            raw.append(scores)
            alike = (self.familiarity.distance(features) <= self.familiarity.limit).cpu().numpy()
            familiar.append(alike & (noise(batch) <= NOISIEST))
        if not raw:
            return np.zeros(0), np.zeros(0, dtype=bool)
        return np.concatenate(raw), np.concatenate(familiar)

    def to(self, device: str) -> "Model":
        """Move to a device."""
        self.network.to(device)
        self.familiarity = self.familiarity.to(device)
        self.device = device
        return self


def save_model(model: Model, path: Path) -> None:
    """Write a model; the file appears whole or not at all."""
    save_atomically(
        {
            "kind": "body-part regressor",
            "format": FORMAT,
            "version": model.version,
            "preset": dataclasses.asdict(model.preset),
            "anchor": dataclasses.asdict(model.anchor),
            "known": model.known,
            "weights": {name: tensor.cpu() for name, tensor in model.network.state_dict().items()},
            "familiarity": dataclasses.asdict(model.familiarity.to("cpu")),
            "record": model.record,
        },
        path,
    )


def load_model(path: Path, device: str = "cpu") -> Model:
    """Read a model.

    Raises
    ------
    NotAModel : missing, damaged, or something else.
    OtherVersion : written by another version of the regressor.
    """
    try:
        stored = torch_file.read(path)
    except (FileNotFoundError, torch_file.NotReadable) as error:
        raise NotAModel(f"{path.name} is no body-part regressor, or damaged") from error
    if stored.get("kind") != "body-part regressor":
        raise NotAModel(f"{path.name} is no body-part regressor")
    if stored.get("format") != FORMAT:
        raise OtherVersion(
            f"{path.name} has format {stored.get('format')}; readable here is format {FORMAT}: train anew"
        )
    try:
        preset = Preset(**{**stored["preset"], "channels": tuple(stored["preset"]["channels"])})
        network = Regressor(preset.channels, preset.depth)
        network.load_state_dict(stored["weights"])
        low, high = stored["known"]
        model = Model(
            network=network.eval(),
            preset=preset,
            anchor=Anchor(**stored["anchor"]),
            familiarity=Familiarity(**stored["familiarity"]),
            known=(float(low), float(high)),
            record=stored["record"],
        )
        version = model.version
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise NotAModel(f"{path.name} is damaged: parts of the model are missing") from error
    if version != stored.get("version"):
        raise NotAModel(f"{path.name} is damaged: its content is not that of {stored.get('version')}")
    return model.to(device)


def save_atomically(content: dict[str, Any], path: Path) -> None:
    """Write with torch to a temporary file beside `path`, then rename."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(buffer.getbuffer())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _batches(pictures: Iterable[Picture]) -> Iterator[Picture]:
    batch: list[Picture] = []
    for each in pictures:
        batch.append(each)
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)
