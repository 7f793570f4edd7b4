"""The manifest of a release: every file of it, written once, whoever else writes at the same time."""

import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from django.db import connection

from datasets import frozen, manifest
from datasets.models import Release, Slice
from datasets.services import manifest as manifests
from datasets.services.export import export

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]


def test_the_manifest_describes_every_file(release: Release, tmp_path: Path) -> None:
    export(release, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "manifest.json").read_text())
    out = tmp_path / "out"
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert content["files"] == [
        {"path": name, "bytes": len(files[name]), "sha256": sha256(files[name]).hexdigest()}
        for name in sorted(files.keys() - {"manifest.json"})
    ]
    assert content["name"] == "r-1"
    assert content["created"] == release.published.isoformat()
    assert content["coordinate_convention"] == manifest.COORDINATE_CONVENTION
    assert content["counts"] == release.counts == manifest.count(tmp_path / "out")
    assert list(content["counts"]) == ["train", "val", "test"]
    assert list(content["counts"]["val"]) == ["patients", "studies", "series", "slices", "lesions"]
    assert content["counts"]["test"] == {"patients": 1, "studies": 1, "series": 1, "slices": 5, "lesions": 1}
    assert manifest.verify(tmp_path / "out") == []


def test_a_lost_manifest_is_made_again_as_it_was(release: Release) -> None:
    first = manifests.prepare(release_name="r-1")
    text = manifests.path_of(release).read_bytes()
    shutil.rmtree(manifests.path_of(release).parent)
    assert manifests.prepare(release_name="r-1") == first
    assert manifests.path_of(release).read_bytes() == text


def test_a_release_that_has_lost_an_image_gets_no_manifest(release: Release) -> None:
    # As in a database that had no triggers yet.
    frozen.drop(connection)
    Slice.objects.filter(number=9, series__study__patient__number=2).delete()
    with pytest.raises(manifests.ManifestDiffers, match=r"^r-1 had 15 slices when it was published, and has 14 now$"):
        manifests.prepare(release_name="r-1")
    assert not manifests.path_of(release).exists()


def test_preparing_tells_how_far_it_is(release: Release) -> None:
    seen: list[tuple[int, int]] = []
    manifests.prepare(release_name="r-1", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (15, 15)


def test_who_comes_while_the_manifest_is_written_waits_and_does_it_no_harm(release: Release) -> None:
    class WaitsInVain(Exception):
        pass

    def give_up(done: int, total: int) -> None:
        assert (done, total) == (0, 0), "it writes as well"
        raise WaitsInVain

    def another_comes(done: int, total: int) -> None:
        with pytest.raises(WaitsInVain):
            manifests.prepare(release_name="r-1", progress=give_up)

    made = manifests.prepare(release_name="r-1", progress=another_comes)
    assert sha256(manifests.path_of(release).read_bytes()).hexdigest() == made.sha256
    assert os.listdir(manifests.path_of(release).parent) == ["manifest.json"]


def test_what_a_killed_process_has_left_of_a_manifest_is_no_part_of_the_next(release: Release) -> None:
    target = manifests.path_of(release)
    target.parent.mkdir(parents=True)
    target.with_name(".manifest.json.part").write_text("half of it")
    made = manifests.prepare(release_name="r-1")
    assert sha256(target.read_bytes()).hexdigest() == made.sha256
    assert os.listdir(target.parent) == ["manifest.json"]
