"""What was measured on the published rows holds for what the import has written."""

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from django.db import transaction
from django.db.models import Count, F, Max, Min, Q, QuerySet
from PIL import Image
from pytest_django import DjangoDbBlocker

from datasets.geometry import overlap
from datasets.models import Lesion, Patient, Series, Slice, Study
from datasets.services.import_deeplesion import Summary, import_deeplesion
from tests.datasets.tables import REAL, needs_real_data

pytestmark = [pytest.mark.django_db, needs_real_data]

TEST = {"slice__series__study__patient__official_split": 3}


@pytest.fixture(scope="module")
def imported(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Summary]:
    """Nothing changes the rows in this module, so they are imported once and rolled back at its end."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield import_deeplesion(REAL / "DL_info.csv")
        transaction.set_rollback(True)


def _lesions() -> QuerySet[Lesion]:
    return Lesion.objects.filter(**TEST).order_by()


def test_nothing_was_bad_and_nothing_deviated(imported: Summary) -> None:
    assert (imported.rows, imported.bad, imported.deviations) == (4946, [], [])
    assert imported.added["lesions"] == 4946
    by_split = Lesion.objects.order_by().values_list("slice__series__study__patient__official_split")
    assert dict(by_split.annotate(n=Count("id"))) == {2: 19, 3: 4927}


def test_counts(imported: Summary) -> None:
    patients = Patient.objects.filter(official_split=3)
    assert _lesions().count() == 4927
    assert patients.count() == 665
    assert Study.objects.filter(patient__in=patients).count() == 1609
    assert Series.objects.filter(study__patient__in=patients).count() == 2184
    images = Slice.objects.filter(series__study__patient__in=patients).annotate(n=Count("lesions"))
    assert Counter(images.values_list("n", flat=True)) == {1: 4736, 2: 94, 3: 1}
    assert _lesions().values("slice__series", "first_slice", "last_slice").distinct().count() == 3016
    assert Counter(patients.values_list("sex", flat=True)) == {"M": 394, "F": 271}
    ages = Study.objects.filter(patient__in=patients).aggregate(low=Min("age"), high=Max("age"))
    assert ages == {"low": 2, "high": 87}


def test_noise(imported: Summary) -> None:
    noisy = _lesions().filter(possibly_noisy=True)
    assert noisy.count() == 15
    assert all(reasons == [{"reason": "published"}] for reasons in noisy.values_list("noise_reasons", flat=True))
    clean = _lesions().filter(possibly_noisy=False, noise_reasons=[])
    assert clean.count() == 4912
    assert clean.values("slice").distinct().count() == 4817
    assert clean.values("slice__series__study__patient").distinct().count() == 663


def test_types(imported: Summary) -> None:
    counts = Counter(_lesions().values_list("type", flat=True))
    assert counts == dict(zip(range(1, 9), (108, 1173, 864, 700, 1100, 234, 339, 409), strict=True))


def test_coordinates_are_zero_based(imported: Summary) -> None:
    first = Lesion.objects.get(slice__series__study__patient__number=1, slice__number=109)
    assert first.points == pytest.approx((232.537, 94.0204, 233.057, 105.977, 230.169, 100.605, 235.252, 100.143))
    assert first.box == pytest.approx((225.169, 89.0204, 240.252, 110.977))
    outside = Q(box_x1__lt=-0.5) | Q(box_y1__lt=-0.5)
    outside |= Q(box_x2__gt=F("slice__series__columns") - 0.5) | Q(box_y2__gt=F("slice__series__rows") - 0.5)
    beyond = _lesions().get(outside)
    assert (str(beyond.slice), beyond.slice.series.columns) == ("003957_03_01_586.png", 512)
    assert beyond.box_x2 + 1 == pytest.approx(513.681)


def test_diameters(imported: Summary) -> None:
    values = np.array(_lesions().values_list("long_px", "short_px", "long_mm", "short_mm", "long_um", "short_um"))
    long_px, short_px, long_mm, short_mm, long_um, short_um = values.T
    assert (long_px >= short_px).all()
    assert (long_px == short_px).sum() == 37
    assert (long_mm.min(), long_mm.max(), np.median(long_mm)) == pytest.approx((0.593, 182.059, 19.023), abs=5e-4)
    assert (short_mm.min(), short_mm.max(), np.median(short_mm)) == pytest.approx((0.495, 138.039, 13.238), abs=5e-4)
    assert np.abs(long_um - long_mm * 1000).max() <= 0.5
    assert np.abs(short_um - short_mm * 1000).max() <= 0.5
    points = np.array([lesion.points for lesion in _lesions()]).reshape(-1, 4, 2)
    axes = points[:, 1::2] - points[:, ::2]
    lengths = np.hypot(axes[..., 0], axes[..., 1])
    assert np.abs(lengths - values[:, :2]).max(axis=0) == pytest.approx((0.00137, 0.00124), abs=5e-6)
    cosines = (axes[:, 0] * axes[:, 1]).sum(axis=-1) / lengths.prod(axis=-1)
    angles = np.degrees(np.arccos(np.abs(cosines)))
    assert (angles.min(), np.percentile(angles, 5)) == pytest.approx((22.9, 81.6), abs=0.05)
    bins = np.histogram((long_mm + short_mm) / 2, [0, 10, 15, 20, 25, 30, 40, 50, np.inf])[0]
    assert bins.tolist() == [1053, 1167, 835, 545, 371, 430, 202, 324]


def test_boxes(imported: Summary) -> None:
    columns = ("box_x1", "box_y1", "box_x2", "box_y2", "slice__series__spacing_x", "slice__series__spacing_y")
    x1, y1, x2, y2, spacing_x, spacing_y = np.array(_lesions().values_list(*columns)).T
    assert np.median((x2 - x1) * spacing_x) == pytest.approx(23.207, abs=5e-4)
    assert np.median((y2 - y1) * spacing_y) == pytest.approx(22.601, abs=5e-4)
    lesions = list(_lesions())
    points = np.array([lesion.points for lesion in lesions]).reshape(-1, 4, 2)
    padded = np.concatenate([points.min(axis=1) - 5, points.max(axis=1) + 5], axis=1)
    assert np.abs(padded - [lesion.box for lesion in lesions]).max() == pytest.approx(0.0005, abs=5e-6)
    boxes: dict[int, list[tuple[float, ...]]] = {}
    for lesion in _lesions():
        boxes.setdefault(lesion.slice_id, []).append(lesion.box)
    pairs = [(one, other) for each in boxes.values() for one, other in combinations(each, 2)]
    ious = [float(overlap.iou([one], [other])[0, 0]) for one, other in pairs]
    assert (len(ious), sum(iou > 0 for iou in ious)) == (97, 18)
    assert max(ious) == pytest.approx(0.5956, abs=5e-5)


def test_spacing_interval_and_size(imported: Summary) -> None:
    spacing = np.array(_lesions().values_list("slice__series__spacing_x", "slice__series__spacing_y"))
    assert (spacing[:, 0] == spacing[:, 1]).all()
    assert (spacing.min(), spacing.max(), np.median(spacing)) == pytest.approx((0.279297, 0.976562, 0.816406))
    intervals = Counter(_lesions().values_list("slice__slice_interval", flat=True))
    expected = {5: 2469, 1: 2314, 2: 108, 0.6: 12, 3: 9, 0.5: 3, 2.5: 3, 0.25: 2, 1.5: 2, 3.75: 2, 4: 2, 0.3: 1}
    assert intervals == expected
    larger = _lesions().exclude(slice__series__columns=512, slice__series__rows=512).get()
    assert (str(larger.slice), larger.slice.series.columns, larger.slice.series.rows) == (
        *("000030_01_01_223.png", 768, 768),
    )


def test_a_series_with_two_intervals_keeps_both(imported: Summary) -> None:
    series = Series.objects.filter(study__patient__number=3247, study__number=2, number=1).get()
    assert set(series.slices.values_list("slice_interval", flat=True)) == {1.0, 5.0}


def test_locations(imported: Summary) -> None:
    limits = _lesions().aggregate(Min("x"), Max("x"), Min("y"), Max("y"), Min("z"), Max("z"))
    assert all(0 <= value <= 1 for value in limits.values())
    assert set(_lesions().values_list("location_source", flat=True)) == {"published"}
    medians = {
        kind: tuple(np.median(list(_lesions().filter(type=kind).values_list("x", "y", "z")), axis=0))
        for kind in range(1, 9)
    }
    expected = {
        1: (0.490, 0.658, 0.678), 2: (0.535, 0.499, 0.636), 3: (0.488, 0.459, 0.447), 4: (0.284, 0.458, 0.600),
        5: (0.394, 0.574, 0.496), 6: (0.629, 0.608, 0.657), 7: (0.463, 0.419, 0.486), 8: (0.464, 0.501, 0.804),
    }  # fmt: skip
    for kind, median in medians.items():
        assert median == pytest.approx(expected[kind], abs=5.01e-4)


def test_the_images_that_are_there_come_in_with_what_they_show(imported: Summary) -> None:
    images = REAL / "Images_png"
    files = sorted(path.relative_to(images).as_posix() for path in images.glob("*/*.png"))
    summary = import_deeplesion(REAL / "DL_info.csv", images=images)
    assert not any(summary.added.values())
    stored = list(Slice.objects.filter(stored=True).select_related("series__study__patient"))
    assert sorted(image.path for image in stored) == files
    assert len(files) == 43
    assert [image.bytes for image in stored] == [(images / image.path).stat().st_size for image in stored]
    named = {f"{folder}_{name}" for folder, name in (path.split("/") for path in files)}
    with (REAL / "DL_info.csv").open() as table:
        others = {row["File_name"] for row in csv.DictReader(table)} - named
    assert len(others) == 4850 - 43
    missing = {f"{name[:12]}/{name[13:]}: missing" for name in others}
    assert (set(summary.image_problems), len(summary.image_problems)) == (missing, len(missing))
    seen = list(Lesion.objects.filter(mean_hu__isnull=False).select_related("slice__series__study__patient"))
    assert {lesion.slice_id for lesion in seen} == {image.pk for image in stored}
    assert (len(seen), {lesion.type for lesion in seen}) == (43, {4})
    for lesion in seen:
        with Image.open(images / lesion.slice.path) as image:
            hu = np.asarray(image).astype(int) - 32768
        (x1, y1), (x2, y2) = np.ceil(lesion.box[:2]).astype(int), np.floor(lesion.box[2:]).astype(int)
        inside = hu[y1 : y2 + 1, x1 : x2 + 1]
        expected = (inside.mean(), inside.std(), inside.min(), inside.max())
        assert (lesion.mean_hu, lesion.std_hu, lesion.min_hu, lesion.max_hu) == pytest.approx(expected)
    again = import_deeplesion(REAL / "DL_info.csv", images=images)
    assert not any(again.added.values())
    assert again.deviations == summary.deviations


def test_paths_are_those_of_the_dataset(imported: Summary) -> None:
    for image in Slice.objects.select_related("series__study__patient").order_by("pixel_hash", "id")[:20]:
        assert Path(image.path).name == f"{image.number:03d}.png"
        assert image.file_name == image.path.replace("/", "_")
