"""The file of a model: what comes back from it, and what is no such file."""

from pathlib import Path

import numpy as np
import pytest
import torch

from detection.bodypart.errors import NotAModel, OtherVersion
from detection.bodypart.model import Model, load_model, save_model
from detection.bodypart.slices import volumes
from detection.data.slices import read_hu
from tests.detection.bodypart.columns import body


def test_a_model_comes_back_as_it_was_saved(model: Model, run: Path, tmp_path: Path) -> None:
    save_model(model, tmp_path / "copy.pt")
    copy = load_model(tmp_path / "copy.pt")
    assert copy.version == model.version
    assert copy.anchor.method == "median"
    np.testing.assert_array_equal(copy.score(body(100), 5.0).z, model.score(body(100), 5.0).z)
    assert not list(tmp_path.glob(".*"))


def test_other_files_are_named(run: Path, tmp_path: Path) -> None:
    stored = torch.load(run / "model.pt", weights_only=True)
    path = tmp_path / "model.pt"
    torch.save({**stored, "format": 99}, path)
    with pytest.raises(OtherVersion, match="format 99"):
        load_model(path)
    stored["weights"]["head.bias"] += 1
    torch.save(stored, path)
    with pytest.raises(NotAModel, match="not that of"):
        load_model(path)
    path.write_bytes((run / "model.pt").read_bytes()[:5000])
    with pytest.raises(NotAModel):
        load_model(path)
    torch.save([1, 2], path)
    with pytest.raises(NotAModel):
        load_model(path)
    with pytest.raises(NotAModel):
        load_model(tmp_path / "nothing.pt")


def test_series_are_read_from_disk_as_they_are_scored(release: Path, model: Model) -> None:
    volume = volumes(release)[0]
    found = model.score([(number, read_hu(volume.path(number))) for number in volume.numbers], volume.interval)
    assert found.numbers.tolist() == list(volume.numbers)
    assert found.at(volume.numbers[3]) is not None
