"""Pages without data: help, and the API's documentation."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from datasets import dl_info
from datasets.selectors import digits
from datasets.selectors.statistics import SIZE_BINS

COLUMN_MEANINGS = (
    "File of the key slice: {patient}_{study}_{series}_{slice}.png",
    "Patient, from 1",
    "Study of the patient, from 1",
    "Series of the study, from 1",
    "Slice on which the lesion was measured; slices count from head to feet",
    "x11, y11, x12, y12, x21, y21, x22, y22: the ends of the long axis, then of the short one, in pixels from 1",
    "x1, y1, x2, y2: smallest box around the four points, 5 px wider on every side",
    "Long and short diameter in pixels",
    "x, y and z relative to the body, from 0 to 1",
    "Code of the coarse type, -1 where it is not known",
    "1 where the box looks unlike a lesion",
    "First and last slice of the context that is kept around the lesion",
    "Pixel spacing along x and y, and distance between slices, in mm",
    "Columns and rows of the image",
    "Low and high end of the window in which it was read, in HU",
    "F, M or nothing",
    "Age in years; 90 stands for 90 and over",
    "1 train, 2 val, 3 test",
)

KEYS = (
    (("↑", "↓", "←", "→"), "map", "next mark in that direction; with Shift a region grows that way"),
    (("Enter", "Esc"), "map", "open the lesion, or list the region; give the region up, or the zoom"),
    (("+", "-"), "map", "zoom"),
    (("/",), "lesion list", "go to the first filter"),
    (("j", "k"), "lesion list", "next, previous lesion"),
    (("Enter",), "lesion list", "open the lesion"),
    (("↑", "↓"), "lesion page", "one slice towards the head, the feet (the wheel does the same)"),
    (("0", "1", "2", "3", "4"), "lesion page", "window: DICOM, soft tissue, lung, bone, liver"),
    (("z",), "lesion page", "zoom to the lesion, or the whole slice"),
    (("o",), "lesion page", "show or hide axes and box"),
    (("p", "n"), "lesion page", "previous, next lesion of the list"),
    (("k", "x"), "review", "keep, exclude"),
    (("m", "d"), "review", "merge a pair, say that it is not the same"),
    (("u", "n", "?"), "review", "undo, leave for later, show all keys"),
)


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    context = {
        "types": dl_info.TYPES,
        "splits": dl_info.SPLITS,
        "bins": SIZE_BINS,
        "columns": zip(dl_info.COLUMNS, COLUMN_MEANINGS, strict=True),
        "keys": KEYS,
        "digits": (
            ("pixel coordinates and diameters in pixels", digits.PIXELS),
            ("millimetres", digits.MILLIMETRES),
            ("pixel spacing in mm", digits.SPACING),
            ("HU", digits.HOUNSFIELD),
            ("x, y and z in the body", digits.BODY),
        ),
    }
    return render(request, "about.html", context)


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api_docs.html")
