"""Slices around a lesion that could not be read: told at every harvest, flagged, and filled once they can be."""

import pytest

from datasets.models import Collection, Lesion, Release, Slice
from datasets.services import release as releases
from datasets.services.harvest import study
from datasets.services.harvest.around import UNREAD_SLICES
from datasets.services.release_contents import csv_lines, slices
from tests.datasets.pacs.dicom_files import MARKED, bidimensional, ct, ct_series, report, save
from tests.datasets.services.test_harvest import run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]

NEIGHBOUR = "images/4.dcm"
"""Of the marked slice; the first from the head."""


def damage(folder):
    """Halve the pixels of a slice next to the marked one."""
    broken = ct_series()[4]
    broken.PixelData = broken.PixelData[:1000]
    save(broken, folder / NEIGHBOUR)


def repair(folder):
    save(ct_series()[4], folder / NEIGHBOUR)


def dataset(slug):
    """What a collection holds, but for the moments in which it came."""
    of_slice = "series__study__patient__collection__slug"
    lesions = Lesion.objects.filter(**{f"slice__{of_slice}": slug}).order_by("slice__number", "number")
    columns = ("slice__number", "number", "x11", "mean_hu", "first_slice", "last_slice", "flags", "annotation__reason")
    images = Slice.objects.filter(**{of_slice: slug}).order_by("number")
    return [*lesions.values_list(*columns), *images.values_list("number", "stored", "sha256", "window_low")]


def numbers(slug="hospital"):
    images = Slice.objects.filter(series__study__patient__collection__slug=slug)
    return sorted(images.values_list("number", flat=True))


def test_a_hole_is_told_until_it_is_filled_and_then_nothing_is_left_of_it(hospital):
    second = bidimensional(MARKED.SOPInstanceUID, long=(11.5, 20.5, 31.5, 20.5), short=(21.5, 12.5, 21.5, 28.5))
    save(report(second, SOPInstanceUID="1.9.2"), hospital / "reports" / "of another reader")
    damage(hospital)
    for options in ({}, {"since_last": True}, {}):
        status, out, err = run(hospital, **options)
        assert (status, NEIGHBOUR in err) == (1, True), "told every time"
        assert numbers() == [2, 3, 4, 5]
        assert [lesion.flags for lesion in Lesion.objects.all()] == 3 * [[UNREAD_SLICES]], "two marks, one average"
    repair(hospital)
    assert "New lesions: 0. New slices: 1." in run(hospital, dry_run=True)[1]
    status, out, err = run(hospital, since_last=True)
    assert (status, err) == (0, "")
    assert "New lesions: 0. New slices: 1." in out
    assert run(hospital, collection="undisturbed")[0] == 0
    assert dataset("hospital") == dataset("undisturbed")
    assert "1 study is as it was at the last harvest." in run(hospital, since_last=True)[1]


def test_a_wider_context_is_added_around_known_lesions_and_a_narrower_one_takes_nothing_away(hospital):
    run(hospital, context=5.0)
    assert numbers() == [2, 3, 4]
    assert "New lesions: 0. New slices: 2." in run(hospital, context=None)[1]
    run(hospital, context=None, collection="at-once")
    assert dataset("hospital") == dataset("at-once")
    assert "New slices: 0." in run(hospital, context=5.0)[1]
    assert dataset("hospital") == dataset("at-once")


def test_a_wider_context_that_fails_is_tried_again_although_the_study_was_whole_before(hospital):
    assert run(hospital, context=5.0)[0] == 0
    damage(hospital)
    assert run(hospital, context=None)[0] == 1
    status, _, err = run(hospital, context=None, since_last=True)
    assert (status, NEIGHBOUR in err) == (1, True)


def test_a_published_lesion_stays_as_it_is_and_its_hole_is_filled_for_later_releases(hospital):
    damage(hospital)
    run(hospital)
    collection = Collection.objects.get()
    first = releases.create("first", collection, split=(100, 0, 0))
    lesion, line = Lesion.objects.get(), list(csv_lines(first))
    repair(hospital)
    assert run(hospital)[0] == 0
    after = Lesion.objects.get()
    assert (after.first_slice, after.last_slice) == (lesion.first_slice, lesion.last_slice)
    assert (lesion.flags, after.flags) == ([UNREAD_SLICES], [])
    assert numbers() == [1, 2, 3, 4, 5]
    assert list(csv_lines(first)) == line
    assert [image.number for image in slices(first)] == [2, 3, 4, 5]
    second = releases.create("second", collection, split=(100, 0, 0))
    assert [image.number for image in slices(second)] == [1, 2, 3, 4, 5]


def test_a_release_that_is_published_while_a_hole_is_filled_does_not_hold_what_fills_it(hospital, monkeypatch):
    damage(hospital)
    run(hospital)
    write = study.write_slices

    def write_and_publish(*arguments):
        written = write(*arguments)
        releases.create("first", Collection.objects.get(), split=(100, 0, 0))
        return written

    repair(hospital)
    monkeypatch.setattr(study, "write_slices", write_and_publish)
    assert run(hospital)[0] == 0
    assert numbers() == [1, 2, 3, 4, 5]
    first = Release.objects.get()
    assert [image.number for image in slices(first)] == [2, 3, 4, 5]
    assert first.counts["train"]["slices"] == 4


def test_a_published_lesion_keeps_its_range_where_more_is_asked_for(hospital):
    run(hospital, context=5.0)
    releases.create("first", Collection.objects.get(), split=(100, 0, 0))
    assert run(hospital, context=None)[0] == 0
    lesion = Lesion.objects.get()
    assert (lesion.first_slice, lesion.last_slice, lesion.flags) == (2, 4, [])
    assert numbers() == [1, 2, 3, 4, 5]


def test_a_hole_in_a_series_that_changed_is_told_every_time(hospital):
    damage(hospital)
    run(hospital)
    repair(hospital)
    save(ct(z=-5.0), hospital / "images" / "below.dcm")
    for options in ({}, {"since_last": True}):
        status, _, err = run(hospital, **options)
        assert status == 1
        assert "other slices than when it was harvested; what is missing around its lesions stays missing" in err
    assert Lesion.objects.get().flags == [UNREAD_SLICES]
