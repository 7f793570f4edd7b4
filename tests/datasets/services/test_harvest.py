"""A harvest, from DICOM files in folders to lesions on slices: what goes in, what stays out, and again."""

import os
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from PIL import Image

from datasets import frozen
from datasets.geometry import hu
from datasets.models import Annotation, Collection, Lesion, Patient, Series, Slice, SourceIdentity, Study
from datasets.storage import slice_storage
from tests.datasets.pacs.dicom_files import (
    GROUP,
    MARKED,
    axis,
    bidimensional,
    code,
    content,
    ct,
    ct_series,
    picture,
    report,
    save,
)
from tests.harvesting import harvest
from tests.peers.disk import small_disk
from workers.models import Job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]


def run(folder, **options):
    """Harvest a folder; return exit status, what was printed, what was complained of."""
    return harvest(f"dir://{folder}", **options)


def pixels(row):
    with slice_storage(row.series.study.patient.collection).open(row.path) as file:
        return hu.from_png(np.asarray(Image.open(BytesIO(file.read()))))


def rows_of_everything():
    return {model.__name__: model.objects.count() for model in apps.get_app_config("datasets").get_models()}


def test_a_mark_becomes_a_lesion_with_its_slices_numbered_from_the_head(hospital, data_dir):
    status, out, err = run(hospital)
    assert (status, err) == (0, "")
    lesion = Lesion.objects.get()
    assert lesion.points == pytest.approx((10, 20, 30, 20, 20, 12, 20, 28))
    assert lesion.box == pytest.approx((5, 7, 35, 33))
    assert (lesion.long_px, lesion.short_px) == pytest.approx((20, 16))
    assert (lesion.long_um, lesion.short_um) == (16_000, 12_800)
    assert lesion.slice.path == "000001_01_01/003.png"
    assert (lesion.first_slice, lesion.last_slice) == (1, 5)
    for number, source in enumerate(reversed(ct_series()), start=1):
        assert source.ImagePositionPatient[2] == 20 - 5 * (number - 1), "the fixture runs from feet to head"
        assert np.array_equal(pixels(Slice.objects.get(number=number)), picture())
    inside = picture()[7:34, 5:36].astype(float)
    assert (lesion.mean_hu, lesion.std_hu) == pytest.approx((inside.mean(), inside.std()))
    series, patient = Series.objects.get(), Patient.objects.get()
    assert (series.columns, series.rows, series.spacing_x, series.slice_interval) == (64, 48, 0.8, 5.0)
    assert (patient.sex, Study.objects.get().age) == ("F", 62)
    assert "New lesions: 1. New slices: 5." in out
    assert Job.objects.get().state == Job.State.SUCCEEDED


def test_harvesting_again_adds_nothing(hospital):
    run(hospital)
    before = rows_of_everything()
    status, out, _ = run(hospital)
    assert status == 0
    assert rows_of_everything() == before
    assert "1 of them known" in out


def test_truncated_copies_of_slices_cost_no_lesion_and_are_named(hospital):
    for path in sorted((hospital / "images").iterdir()):
        copy = hospital / "a truncated copy" / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes()[:-3000])
    status, out, err = run(hospital)
    assert status == 1, "something was left out"
    assert "New lesions: 1. New slices: 5." in out
    assert err.count("truncated: it ends in the middle of an element; another copy of the object is read") == 5
    assert "a truncated copy/0.dcm" in err


def test_a_dry_run_tells_the_same_and_writes_nothing(hospital, data_dir):
    before = rows_of_everything()
    status, out, _ = run(hospital, dry_run=True)
    assert status == 0
    assert "Dry run: nothing was written. No pixels were read: a harvest leaves out what it cannot decode." in out
    assert "New lesions: 1. New slices: 5." in out
    assert "reports/first: new, 16.0 x 12.8 mm on slice 3" in out
    assert rows_of_everything() == before
    assert Job.objects.count() == 0
    assert list(data_dir.iterdir()) == [], "no slice, no key"
    run(hospital)
    assert "New lesions: 0. New slices: 0." in run(hospital, dry_run=True)[1]


def test_a_later_report_on_a_stored_slice_adds_a_lesion_and_no_slice(hospital):
    run(hospital)
    other = bidimensional(MARKED.SOPInstanceUID, long=(40.5, 30.5, 60.5, 30.5), short=(50.5, 22.5, 50.5, 40.5))
    save(report(other, SOPInstanceUID="1.9.2"), hospital / "second")
    run(hospital)
    assert Slice.objects.count() == 5
    assert [lesion.number for lesion in Lesion.objects.order_by("pk")] == [1, 2]
    assert all(lesion.mean_hu is not None for lesion in Lesion.objects.all())


def test_the_same_mark_saved_once_more_is_recorded_and_gives_no_second_lesion(hospital):
    save(report(bidimensional(MARKED.SOPInstanceUID), SOPInstanceUID="1.9.2"), hospital / "again")
    assert run(hospital)[0] == 0
    assert Lesion.objects.count() == 1
    assert sorted(Annotation.objects.values_list("reason", flat=True)) == ["", "saved_again"]


def test_a_mark_whose_image_arrives_later_becomes_a_lesion_then(hospital):
    late = hospital / "images" / "2.dcm"
    aside = late.rename(hospital.parent / "late.dcm")
    for number in (0, 1, 3, 4):
        (hospital / "images" / f"{number}.dcm").rename(hospital.parent / f"{number}.dcm")
    status, _, err = run(hospital)
    assert status == 1
    assert "reports/first" in err
    assert "image" in err
    assert Annotation.objects.get().reason == Annotation.Reason.UNRESOLVED_IMAGE
    waiting = Annotation.objects.get()
    aside.rename(late)
    assert run(hospital)[0] == 0
    settled = Annotation.objects.get()
    assert (settled.pk, settled.created, settled.modality, settled.reason) == (waiting.pk, waiting.created, "CT", "")
    assert Lesion.objects.get().slice.number == 1


def test_a_harvest_that_finds_nothing_leaves_no_collection(hospital, tmp_path):
    marked = (hospital / "reports" / "first").rename(tmp_path / "later")
    status, out, _ = run(hospital)
    assert (status, Collection.objects.count()) == (0, 0)
    assert "1 study, 0 with bookmarks; 0 annotations, 0 of them known." in out
    marked.rename(hospital / "reports" / "first")
    assert run(hospital, since_last=True)[0] == 0
    assert (Collection.objects.get().title, Lesion.objects.count()) == ("Hospital", 1)


def test_studies_without_marks_before_the_first_marked_one_are_remembered_as_well(hospital):
    for number in range(4):
        uid = f"1.2.840.55.{number}"
        names = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1", "SOPInstanceUID": f"{uid}.1.1"}
        bare = ct(PatientID=f"{number}", **names)
        save(bare, hospital / f"bare {number}")
    run(hospital)
    assert "5 studies are as they were at the last harvest." in run(hospital, since_last=True)[1]


def test_marks_of_one_report_that_wait_for_the_same_are_told_in_one_line(hospital):
    marks = [
        bidimensional("1.2.3.4", long=(10.5 + x, 20.5, 30.5 + x, 20.5), short=(20.5 + x, 12.5, 20.5 + x, 28.5))
        for x in range(4)
    ]
    save(report(*marks, SOPInstanceUID="1.9.2"), hospital / "reports" / "second")
    _, out, err = run(hospital)
    assert err.count("it names an image that the study does not hold") == 1
    assert "reports/second: it names an image that the study does not hold (4 marks)" in err
    assert "       4  unresolved_image" in out


def test_a_series_that_changed_keeps_its_numbers_and_its_new_marks_wait(hospital):
    run(hospital)
    save(ct(z=-5.0), hospital / "images" / "below.dcm")
    other = bidimensional(MARKED.SOPInstanceUID, long=(40.5, 30.5, 60.5, 30.5), short=(50.5, 22.5, 50.5, 40.5))
    save(report(other, SOPInstanceUID="1.9.2"), hospital / "second")
    before = rows_of_everything()
    for dry_run in (True, False):
        status, _, err = run(hospital, dry_run=dry_run)
        assert status == 1
        assert "other slices than when it was harvested" in err
    assert rows_of_everything() == before | {"HarvestedStudy": 0}, "and the study is to be looked at again"


def test_what_is_unreadable_is_named_and_the_rest_goes_on(hospital):
    (hospital / "notes.txt").write_text("not DICOM")
    whole = (hospital / "images" / "0.dcm").read_bytes()
    (hospital / "cut.dcm").write_bytes(whole[:200])
    status, _, err = run(hospital)
    assert status == 1
    assert "notes.txt: not a DICOM file" in err
    assert "cut.dcm: " in err
    assert Lesion.objects.count() == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(("broken", "lesions"), [(2, 0), (4, 1)], ids=["key slice", "neighbour"])
def test_a_slice_with_too_few_pixels_is_never_filled_up(hospital, data_dir, broken, lesions):
    damaged = ct_series()[broken]
    damaged.PixelData = damaged.PixelData[:1000]
    save(damaged, hospital / "images" / f"{broken}.dcm")
    status, _, err = run(hospital)
    assert status == 1
    assert f"images/{broken}.dcm: it has 1000 bytes of pixels, where its header needs 6144" in err
    assert Lesion.objects.count() == lesions
    assert Slice.objects.count() == 4
    assert Annotation.objects.get().reason == ("" if lesions else "undecodable")
    assert len(list(data_dir.glob("slices/*/*/*.png"))) == 4
    assert not list(data_dir.glob("slices/*/*/.*")), "nothing half-written"


def test_the_context_is_what_was_asked_for(hospital):
    run(hospital, context=5.0, collection="near")
    assert list(Slice.objects.order_by("number").values_list("number", flat=True)) == [2, 3, 4]
    lesion = Lesion.objects.get()
    assert (lesion.first_slice, lesion.last_slice) == (2, 4)
    run(hospital, context=None, collection="whole")
    assert Slice.objects.filter(series__study__patient__collection__slug="whole").count() == 5


def test_the_same_key_gives_the_same_numbers_after_the_database_was_lost(hospital, data_dir):
    run(hospital)
    before = list(SourceIdentity.objects.order_by("level").values_list("level", "digest"))
    frozen.drop(connection)
    for model in (Lesion, Annotation, Slice, SourceIdentity, Series, Study, Patient):
        model.objects.all().delete()
    frozen.create(connection)
    run(hospital)
    assert list(SourceIdentity.objects.order_by("level").values_list("level", "digest")) == before
    assert (data_dir / "identity_key").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_stops_with_one_sentence_and_the_next_harvest_ends_the_same(hospital, tmp_path):
    full, roomy = tmp_path / "full", tmp_path / "roomy"

    def manage(data, *arguments):
        return subprocess.run([sys.executable, "manage.py", *arguments], env={**_environment(), "DATA_DIR": str(data)},
                              cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)  # fmt: skip

    for data in (full, roomy):
        assert manage(data, "migrate", "-v0").returncode == 0
    harvest = ("harvest", f"dir://{hospital}")
    with small_disk(full / "slices", 12) as disk:
        stopped = manage(full, *harvest)
        assert stopped.returncode == 1
        assert "the disk is full" in stopped.stderr
        assert "Traceback" not in stopped.stderr
        assert not list(disk.rglob(".*part")), "no part of a file is left"
    ended, never = manage(full, *harvest), manage(roomy, *harvest)
    assert (ended.returncode, never.returncode) == (0, 0), ended.stderr + never.stderr
    assert _files(full) == _files(roomy) != {}


def _environment():
    return {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "DATA_DIR")}


def _files(data: Path):
    return {str(path.relative_to(data)): path.read_bytes() for path in (data / "slices").rglob("*.png")}


def test_wrong_addresses_are_told_in_one_sentence(tmp_path):
    for address, words in [
        ("dir:///nowhere/at/all", "^/nowhere/at/all: there is no such folder$"),
        ("ftp://somewhere", "begins with"),
        (str(tmp_path), "begins with"),
    ]:
        with pytest.raises(CommandError, match=words):
            call_command("harvest", address)
    assert Collection.objects.count() == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"collection": "Bad Slug"}, "--collection takes a short name of at most 50 letters, digits"),
        ({"collection": "x" * 300}, "--collection takes a short name of at most 50 letters, digits"),
        ({"title": "x" * 300}, "--title takes at most 200 characters"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_name_that_is_none_is_told_in_one_sentence(hospital, options, sentence, dry_run):
    with pytest.raises(CommandError, match=f"^{sentence}[a-z, ]*$"):
        call_command("harvest", f"dir://{hospital}", dry_run=dry_run, **options)


def test_a_dry_run_names_what_is_rejected_and_why(hospital):
    length = axis(code("410668003", "SCT", "Length"), (1.5, 1.5, 9.5, 9.5), MARKED.SOPInstanceUID)
    save(report(content("CONTAINER", GROUP, length), SOPInstanceUID="1.9.3"), hospital / "line")
    assert "line: rejected, not_recist, " in run(hospital, dry_run=True)[1]


def test_a_published_dataset_is_not_harvested_into(hospital):
    Collection.objects.create(slug="deeplesion", title="DeepLesion", kind=Collection.Kind.PUBLISHED)
    with pytest.raises(CommandError, match="collection of its own"):
        call_command("harvest", f"dir://{hospital}", collection="deeplesion")


def test_a_report_on_nothing_but_lines_gives_annotations_with_their_reason(hospital):
    shutil.rmtree(hospital / "reports")
    length = content(
        "CONTAINER", GROUP, axis(code("410668003", "SCT", "Length"), (1.5, 1.5, 9.5, 9.5), MARKED.SOPInstanceUID)
    )
    save(report(length, SOPInstanceUID="1.9.3"), hospital / "line")
    status, out, _ = run(hospital)
    assert status == 0
    annotation = Annotation.objects.get()
    assert (annotation.tool, annotation.reason, annotation.modality, annotation.year) == (
        "line",
        "not_recist",
        "CT",
        2015,
    )
    assert Patient.objects.count() == 0, "numbers are reserved for lesions alone"
    assert "not_recist" in out
