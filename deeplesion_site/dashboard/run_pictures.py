"""Pictures as in Figs. 12 to 21, drawn over the stored slices: ground truth, correct, false positive, missed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from datasets import dl_info
from datasets.models import Lesion, Release, Slice
from datasets.selectors.by_name import lesions_on, slices_by_name
from deeplesion_site import access
from deeplesion_site.dashboard.slice_image import LUNG, LUNG_LOW_ENOUGH, window_of
from detection import selectors
from detection.evaluation.labels import Frame, place
from detection.models import Detection, Evaluation, Target

COUNT = 12
KINDS = {"random": "at random", "missed": "worst misses"}
_PX_PER_COLUMN = 512
_LUNG_CODE = 5
MARGIN = 0.06
"""Share of a slice on its left and right that is air; above and below it is twice that."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the picture's frame, whose origin is the corner of the first pixel."""

    kind: str
    """`truth`, `correct`, `false` or `missed`."""
    x: float
    y: float
    width: float
    height: float
    label: str = ""
    label_x: float = 0.0
    label_y: float = 0.0
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Tile:
    """One slice with its boxes."""

    file_name: str
    image: str
    """Address of the slice; empty where it is not stored."""
    columns: int
    rows: int
    shown: tuple[float, float, float, float]
    """What is shown of it: left, top, width, height. The air around the body takes no room."""
    boxes: list[Box]
    sentence: str
    link: str
    """Address of the lesion, empty where it is not in the database."""


def gallery(request: HttpRequest, found: Evaluation, release: Release | None) -> dict[str, object]:
    """What the gallery shows: `pictures` chooses the kind, `seed` another draw."""
    kind = request.GET.get("pictures", "random")
    kind = kind if kind in KINDS else "random"
    text = request.GET.get("seed", "")
    seed = int(text) if text.isdecimal() and len(text) < 10 else 0
    names = selectors.drawn_at_random(found, COUNT, seed) if kind == "random" else selectors.worst_misses(found, COUNT)
    return {"kind": kind, "kinds": KINDS, "seed": seed, "tiles": _tiles(request, found, release, names)}


def _tiles(request: HttpRequest, found: Evaluation, release: Release | None, names: list[str]) -> list[Tile]:
    visibility = access.visibility(request.user)
    places = slices_by_name(release.collection, names, visibility) if release else {}
    lesions = lesions_on(places.values(), visibility) if places else {}
    tiles = []
    for picture in selectors.pictures(found, names):
        place = places.get(picture.file_name)
        here = lesions.get(place.pk, []) if place else []
        tiles.append(_tile(picture, place, here, found.run.release))
    return tiles


def _tile(picture: selectors.Picture, place: Slice | None, lesions: list[Lesion], release: str) -> Tile:
    columns, rows = (place.series.columns, place.series.rows) if place else _extent(picture)
    boxes = [_box("truth", target) for target in picture.targets]
    boxes += [_box("missed", target, label="missed") for target in picture.targets if is_missed(target)]
    boxes += [_box(_kind(detection), detection, label=f"{detection.score:.3f}") for detection in picture.detections]
    shown = _shown(columns, rows, boxes)
    first = next((target for target in picture.targets if is_missed(target)), picture.targets[0])
    lesion = _lesion_at(first, lesions)
    return Tile(
        picture.file_name,
        _image(place, picture.targets) if place and place.stored else "",
        columns,
        rows,
        shown,
        _labelled(boxes, shown, columns),
        sentence(picture),
        f"{reverse('lesion', args=[lesion.pk])}?release={release}" if lesion else "",
    )


def _shown(columns: int, rows: int, boxes: list[Box]) -> tuple[float, float, float, float]:
    """The slice without its margins, and with every box."""
    left = min([MARGIN * columns, *(box.x - 4 for box in boxes)])
    right = max([(1 - MARGIN) * columns, *(box.x + box.width + 4 for box in boxes)])
    top = min([2 * MARGIN * rows, *(box.y - 4 for box in boxes)])
    bottom = max([(1 - 2 * MARGIN) * rows, *(box.y + box.height + 4 for box in boxes)])
    return round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1)


def _labelled(boxes: list[Box], shown: tuple[float, float, float, float], columns: int) -> list[Box]:
    """Give every label a place of its own in what is shown."""
    left, top, width, height = shown
    named = [box for box in boxes if box.label]
    labels = place(
        [Frame(box.x, box.y, box.x + box.width, box.y + box.height) for box in named],
        [box.kind == "missed" for box in named],
        Frame(left, top, left + width, top + height),
        width=columns / 8,
        height=columns / 26,
    )
    placed = [
        replace(box, label_x=round(label.x, 1), label_y=round(label.y, 1), anchor=label.anchor)
        for box, label in zip(named, labels, strict=True)
    ]
    return [box for box in boxes if not box.label] + placed


def is_missed(target: Target) -> bool:
    """Whether no sure detection hits it."""
    return target.score is None or target.score <= selectors.SURE


def sentence(picture: selectors.Picture) -> str:
    """The picture in words."""
    parts = []
    for target in picture.targets:
        what = f"{dl_info.TYPES.get(target.type, 'unknown')}, {target.size_mm:.0f} mm"
        how = f"found at {target.score:.2f}" if not is_missed(target) else "missed"
        if is_missed(target) and target.score is not None:
            how = f"missed (unsure at {target.score:.2f})"
        parts.append(f"{what}: {how}")
    wrong = sum(each.outcome == Detection.Outcome.FALSE_POSITIVE for each in picture.detections)
    if wrong:
        parts.append(f"{wrong} false positive{'s' if wrong > 1 else ''}")
    return "; ".join(parts)


def _kind(detection: Detection) -> str:
    return "false" if detection.outcome == Detection.Outcome.FALSE_POSITIVE else "correct"


def _box(kind: str, of: Target | Detection, *, label: str = "") -> Box:
    # Pixel centres at integers: the picture's frame begins half a pixel before the first centre.
    grown = 2.0 if kind == "missed" else 0.0
    x1, y1, x2, y2 = of.x1 + 0.5 - grown, of.y1 + 0.5 - grown, of.x2 + 0.5 + grown, of.y2 + 0.5 + grown
    return Box(kind, round(x1, 1), round(y1, 1), round(x2 - x1, 1), round(y2 - y1, 1), label)


def _image(place: Slice, targets: Iterable[Target]) -> str:
    low, high = window_of(place)
    if low > LUNG_LOW_ENOUGH and any(target.type == _LUNG_CODE for target in targets):
        low, high = LUNG
    query = urlencode({"low": f"{low:g}", "high": f"{high:g}", "size": _PX_PER_COLUMN})
    return f"{reverse('slice-png', args=[place.pk])}?{query}"


def _lesion_at(target: Target, lesions: list[Lesion]) -> Lesion | None:
    """The lesion whose box is the target's."""

    def distance(lesion: Lesion) -> float:
        x1, y1, x2, y2 = lesion.box
        return abs(x1 - target.x1) + abs(y1 - target.y1) + abs(x2 - target.x2) + abs(y2 - target.y2)

    return min(lesions, key=distance, default=None)


def _extent(picture: selectors.Picture) -> tuple[int, int]:
    """A frame for boxes without a slice."""
    ends = [(each.x2, each.y2) for each in picture.targets] + [(each.x2, each.y2) for each in picture.detections]
    furthest = max(map(max, ends))
    side = max(512, round(furthest) + 1)
    return side, side
