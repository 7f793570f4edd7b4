"""The release layout, written without DICOM libraries."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from datasets import dl_info, manifest
from datasets.geometry import body
from datasets.geometry import hu as grey
from datasets.phantom import plan, render
from datasets.phantom import release as writer

from .conftest import SEED, SIZE

ROOT = Path(__file__).parents[3]


def rows(folder: Path) -> list[dl_info.Row]:
    return [row for _, row, _ in dl_info.read(folder / "DL_info.csv") if row is not None]


def test_release_needs_numpy_and_pillow_alone(tmp_path: Path) -> None:
    code = (
        "import sys; from datasets.phantom.__main__ import main; "
        f"status = main(['release', {str(tmp_path / 'out')!r}, '--patients', '1', '--size', '64', '--processes', '1',"
        " '--context', '1']); "
        "heavy = {'pydicom', 'highdicom', 'django', 'scipy', 'torch'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_table_has_no_problem_and_every_key_slice_has_a_picture(release: Path) -> None:
    found = list(dl_info.read(release / "DL_info.csv"))
    assert len(found) > 3
    for _, row, problems in found:
        assert row is not None
        assert problems == []
        with Image.open(release / "Images_png" / row.folder / dl_info.slice_name(row.slice)) as image:
            assert image.mode.startswith("I;16")
            assert image.size == row.image_size


def test_context_slices_surround_the_key_slice(release: Path) -> None:
    for row in rows(release):
        present = {int(path.stem) for path in (release / "Images_png" / row.folder).iterdir()}
        assert set(range(row.slice_range[0], row.slice_range[1] + 1)) <= present
        assert row.slice_interval is not None
        assert row.slice_range[1] - row.slice_range[0] <= 2 * 10 / row.slice_interval * 5


def test_pictures_are_the_rendered_slices(release: Path) -> None:
    row = rows(release)[0]
    patient, anatomy = plan.patient(SEED, row.patient, SIZE)
    study = patient.studies[row.study - 1]
    expected = render.of_series(patient, anatomy, study, study.series[row.series - 1], row.slice - 1)
    with Image.open(release / "Images_png" / row.folder / dl_info.slice_name(row.slice)) as image:
        assert np.array_equal(grey.from_png(np.array(image)), expected)


def test_manifest_verifies_and_notices_a_change(release: Path, tmp_path: Path) -> None:
    assert manifest.verify(release) == []
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("DL_info.csv", "fully_annotated.json", "manifest.json"):
        (copy / name).write_bytes((release / name).read_bytes())
    problems = manifest.verify(copy)
    assert len(problems) == len(list((release / "Images_png").rglob("*.png")))
    assert all(problem.endswith("is missing") for problem in problems)


def test_manifest_counts_what_is_there(release: Path) -> None:
    counts = manifest.count(release)
    assert sum(split["lesions"] for split in counts.values()) == len(rows(release))
    assert sum(split["slices"] for split in counts.values()) == len(list((release / "Images_png").rglob("*.png")))


def test_split_is_by_patient_in_the_stated_shares() -> None:
    splits = list(writer.split(200, SEED).values())
    assert [splits.count(key) for key in dl_info.SPLITS] == [140, 30, 30]


def test_locations_rise_from_chest_to_pelvis() -> None:
    heights: dict[int, list[float]] = {}
    for index in range(1, 13):
        patient, _ = plan.patient(9, index)
        for lesion in patient.studies[0].lesions:
            heights.setdefault(lesion.type, []).append(writer.location(patient, lesion.centre)[2])
    assert np.median(heights[3]) < np.median(heights[4]) < np.median(heights[8])
    assert min(map(min, heights.values())) >= 0
    assert max(map(max, heights.values())) <= 1


def test_locations_across_the_body_are_those_that_its_outline_gives(release: Path) -> None:
    off = []
    for row in rows(release):
        with Image.open(release / "Images_png" / row.folder / dl_info.slice_name(row.slice)) as image:
            outline = body.outline(grey.from_png(np.array(image)))
        left, top, right, bottom = row.box
        found = body.relative([(left + right) / 2, (top + bottom) / 2], outline)
        off.append(np.abs(found - row.location[:2]))
    assert (np.median(off, axis=0) < [0.015, 0.015]).all()


def test_number_of_processes_changes_no_byte(tmp_path: Path) -> None:
    digests = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        writer.write_release(out, patients=2, seed=4, size=64, context_mm=2, processes=processes)
        listed = manifest.write(out, extra={"name": "", "created": "", "generator": ""})["files"]
        digests.append({entry["path"]: entry["sha256"] for entry in listed})
    assert digests[0] == digests[1]
