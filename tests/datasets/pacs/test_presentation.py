"""Presentation states become bookmarks: two lines that cross are a measurement, all else is named."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.testing import assert_allclose
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, GrayscaleSoftcopyPresentationStateStorage

from datasets.pacs import readers
from datasets.pacs.placing import StudyImages
from datasets.pacs.readers import Bookmark, Carrier, Reason, Tool, lines
from datasets.pacs.resolve import Measurement, resolve
from tests.datasets.pacs.dicom_files import STUDY, ct_series, facts

IMAGE = "1.2.3.1.1.1050"
LONG, SHORT = (10.5, 20.5, 30.5, 20.5), (20.5, 12.5, 20.5, 28.5)


def graphic(data: Sequence[float], kind: str = "POLYLINE", units: str = "PIXEL") -> Dataset:
    drawn = Dataset()
    drawn.GraphicAnnotationUnits, drawn.GraphicDimensions = units, 2
    drawn.NumberOfGraphicPoints, drawn.GraphicData, drawn.GraphicType = len(data) // 2, list(data), kind
    return drawn


def words(text: str, **anchor: Any) -> Dataset:
    written = Dataset()
    written.UnformattedTextValue = text
    for keyword, value in anchor.items():
        setattr(written, keyword, value)
    return written


def referenced(*uids: str) -> list[Dataset]:
    images = []
    for uid in uids:
        image = Dataset()
        image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = CTImageStorage, uid
        images.append(image)
    return images


def annotation(*graphics: Dataset, images: Sequence[str] = (IMAGE,), texts: Sequence[Dataset] = ()) -> Dataset:
    item = Dataset()
    item.GraphicLayer = "MARKS"
    if images:
        item.ReferencedImageSequence = referenced(*images)
    if graphics:
        item.GraphicObjectSequence = list(graphics)
    if texts:
        item.TextObjectSequence = list(texts)
    return item


def state(*annotations: Dataset, shown: Sequence[str] = (IMAGE,)) -> Dataset:
    """A presentation state as it comes back from a file."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = GrayscaleSoftcopyPresentationStateStorage, "1.2.3.1.8.1"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality = STUDY, "1.2.3.1.8", "PR"
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedImageSequence = "1.2.3.1.1", referenced(*shown)
    made.ReferencedSeriesSequence = [series]
    if annotations:
        made.GraphicAnnotationSequence = list(annotations)
    file = BytesIO()
    pydicom.dcmwrite(file, made, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(file.getvalue()))


def read(*annotations: Dataset, **options: Any) -> list[Bookmark]:
    dataset = state(*annotations, **options)
    assert readers.is_annotation(facts(dataset)[0])
    return readers.read(dataset)


def test_pixel_units_count_from_the_first_pixels_corner() -> None:
    (bookmark,) = read(annotation(graphic(LONG), graphic(SHORT)))
    assert (bookmark.tool, bookmark.carrier, bookmark.reason) == (Tool.BIDIMENSIONAL, Carrier.PR, None)
    assert bookmark.points == ((10, 20), (30, 20), (20, 12), (20, 28))
    found = resolve(bookmark, StudyImages(facts(*ct_series())))
    assert isinstance(found, Measurement)
    assert found.instance.SOPInstanceUID == IMAGE
    assert_allclose(found.points, [(10, 20), (30, 20), (20, 12), (20, 28)])


def test_two_lines_may_stand_in_two_annotations_and_the_longer_comes_first_and_words_say_nothing() -> None:
    (bookmark,) = read(
        annotation(graphic(SHORT), texts=[words("12.8 mm")]), annotation(graphic(LONG), texts=[words("B06 F03")])
    )
    assert (bookmark.points[0], bookmark.label, bookmark.follow_up) == ((10, 20), "", "")


def test_lines_on_two_images_are_two_lines() -> None:
    found = read(annotation(graphic(LONG)), annotation(graphic(SHORT), images=["1.2.3.1.1.1000"]))
    assert [(each.tool, each.reason) for each in found] == [(Tool.LINE, Reason.NOT_RECIST)] * 2


@pytest.mark.parametrize(
    ("second", "tools"),
    [
        ((10.5, 20.5, 20.5, 28.5), [Tool.LINE, Tool.LINE]),
        ((30.4, 20.9, 20.5, 28.5), [Tool.LINE, Tool.LINE]),
        ((20.5, 20.5, 20.5, 28.5), [Tool.BIDIMENSIONAL]),
        ((20.5, 21.2, 20.5, 38.5), [Tool.BIDIMENSIONAL]),
        ((20.5, 22.5, 20.5, 28.5), [Tool.LINE, Tool.LINE]),
    ],
    ids=["an angle", "nearly an angle", "one ends on the other", "nearly so", "not so"],
)
def test_lines_that_meet_at_an_end_of_both_are_an_angle(second: Sequence[float], tools: list[Tool]) -> None:
    found = read(annotation(graphic(LONG), graphic(second)))
    assert [each.tool for each in found] == tools


def test_a_measurement_that_was_drawn_twice_is_one_and_the_rest_are_lines() -> None:
    found = read(annotation(graphic(LONG), graphic(SHORT)), annotation(graphic(LONG[2:] + LONG[:2]), graphic(SHORT)))
    assert [each.tool for each in found] == [Tool.BIDIMENSIONAL, Tool.LINE, Tool.LINE]


def test_lines_that_do_not_cross_are_two_lines() -> None:
    found = read(annotation(graphic(LONG), graphic((40.5, 12.5, 40.5, 28.5))))
    assert [each.tool for each in found] == [Tool.LINE] * 2


def test_a_line_that_crosses_two_others_belongs_to_neither() -> None:
    found = read(annotation(graphic(LONG), graphic(SHORT), graphic(np.add(SHORT, (3, 0, 3, 0)))))
    assert [each.tool for each in found] == [Tool.LINE] * 3


def test_a_crowd_of_lines_on_one_image_is_not_told_apart_and_costs_no_other_image_its_measurement() -> None:
    crowd = [graphic((x + 0.5, 1.5, x + 0.5, 9.5)) for x in np.linspace(1, 60, lines.MOST_LINES + 1)]
    other = "1.2.3.1.1.1000"
    found = read(annotation(*crowd), annotation(graphic(LONG), graphic(SHORT), images=(other,)), shown=(IMAGE, other))
    assert [each.tool for each in found] == [Tool.LINE] * len(crowd) + [Tool.BIDIMENSIONAL]
    assert {each.detail for each in found[:-1]} == {lines.CROWD}
    at_most = read(annotation(graphic(LONG), graphic(SHORT), *crowd[: lines.MOST_LINES - 2]))
    assert {each.detail for each in at_most} == {"a single line", ""}


def test_two_measurements_on_one_image_are_told_apart() -> None:
    shifted = [np.add(line, (25, 5, 25, 5)) for line in (LONG, SHORT)]
    found = read(annotation(graphic(LONG), graphic(SHORT), *map(graphic, shifted)))
    assert [(each.tool, each.item) for each in found] == [(Tool.BIDIMENSIONAL, "1.1"), (Tool.BIDIMENSIONAL, "1.3")]


def compound(kind: str) -> Dataset:
    drawn = Dataset()
    drawn.CompoundGraphicInstanceID, drawn.CompoundGraphicType = 1, kind
    drawn.CompoundGraphicUnits, drawn.GraphicData = "PIXEL", list(LONG)
    plain = graphic(LONG)
    plain.CompoundGraphicInstanceID = 1
    item = annotation(plain)
    item.CompoundGraphicSequence = [drawn]
    return item


@pytest.mark.parametrize(
    ("item", "tool"),
    [
        (annotation(graphic(LONG)), Tool.LINE),
        (annotation(graphic((1, 5, 9, 5, 5, 3, 5, 7), "ELLIPSE")), Tool.ELLIPSE),
        (annotation(graphic((5, 5, 9, 5), "CIRCLE")), Tool.ELLIPSE),
        (annotation(graphic((5, 5), "POINT")), Tool.OTHER),
        (annotation(graphic((1, 1, 9, 1, 9, 9, 1, 1))), Tool.OTHER),
        (annotation(graphic((1, 1, 9, 1, 9, 9), "INTERPOLATED")), Tool.OTHER),
        (annotation(texts=[words("a cyst?")]), Tool.TEXT),
        (annotation(texts=[words("here", AnchorPoint=[5.0, 5.0], AnchorPointVisibility="Y")]), Tool.ARROW),
        (compound("ARROW"), Tool.ARROW),
        (compound("RULER"), Tool.LINE),
        (compound("CROSSHAIR"), Tool.OTHER),
    ],
)
def test_other_marks_are_named_and_are_not_recist(item: Dataset, tool: Tool) -> None:
    (bookmark,) = read(item)
    assert (bookmark.tool, bookmark.reason, bookmark.image) == (tool, Reason.NOT_RECIST, IMAGE)


def test_a_text_beside_a_line_is_no_annotation_of_its_own() -> None:
    assert [each.tool for each in read(annotation(graphic(LONG), texts=[words("16 mm")]))] == [Tool.LINE]


def test_display_units_are_unsupported() -> None:
    (bookmark,) = read(annotation(graphic((0.1, 0.1, 0.4, 0.4), units="DISPLAY")))
    assert (bookmark.reason, bookmark.points) == (Reason.UNSUPPORTED_OBJECT, ())


def test_an_annotation_without_images_is_drawn_on_the_one_image_that_the_state_shows() -> None:
    item = annotation(graphic(LONG), graphic(SHORT), images=())
    assert read(item)[0].image == IMAGE
    (unclear,) = read(item, shown=[IMAGE, "1.2.3.1.1.1000"])
    assert (unclear.tool, unclear.reason) == (Tool.BIDIMENSIONAL, Reason.UNSUPPORTED_OBJECT)


def test_a_state_that_draws_nothing_holds_no_annotation() -> None:
    assert read() == []


def test_damaged_coordinates_cost_only_their_drawing() -> None:
    broken = graphic((1.0, float("nan"), 30.5, 20.5))
    found = read(annotation(broken, graphic(()), graphic(LONG), graphic(SHORT)))
    assert sorted(each.tool for each in found) == [Tool.BIDIMENSIONAL, Tool.LINE, Tool.OTHER]
