"""Where lesions of each type occur, what they are made of, and how large they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.phantom import bones
from datasets.phantom.anatomy import Anatomy
from datasets.phantom.body import cavity, measure
from datasets.phantom.build import enhanced
from datasets.phantom.canvas import Canvas
from datasets.phantom.lesion import Lesion
from datasets.phantom.plane import axial, triple

BONE, ABDOMEN, MEDIASTINUM, LIVER, LUNG, KIDNEY, SOFT_TISSUE, PELVIS = range(1, 9)

SHARES = {
    BONE: 0.04,
    ABDOMEN: 0.215,
    MEDIASTINUM: 0.165,
    LIVER: 0.13,
    LUNG: 0.24,
    KIDNEY: 0.05,
    SOFT_TISSUE: 0.075,
    PELVIS: 0.095,
}
"""The mix of types, close to the paper's section 2.2.2."""

MEDIAN_LONG_MM = 19.4
SPREAD = 0.55
"""Log-normal sizes; the median is above the published 19 mm because narrow places cut some down."""
LARGEST = {
    BONE: 55.0,
    ABDOMEN: 110.0,
    MEDIASTINUM: 70.0,
    LIVER: 95.0,
    LUNG: 85.0,
    KIDNEY: 70.0,
    SOFT_TISSUE: 75.0,
    PELVIS: 95.0,
}

FAT, LUNG_AIR = (-135.0, -65.0), (-1000.0, -700.0)
FAT_OR_FLESH = (-200.0, 400.0)
ANY = (-1024.0, 3071.0)

MARGIN_MM = 14
"""Between a lesion's centre and the end of the scan."""
WALL_MM = 1.5
"""What lesions of inner organs keep from the wall of the trunk."""


class NoRoom(Exception):
    """The scanned region has no place for a lesion of this type."""


@dataclass(frozen=True)
class Site:
    """A place where a lesion may sit.

    Attributes
    ----------
    place : key of a finding site in `codes.PLACES`.
    centre : body frame, mm.
    spread : deviations by which the centre is moved at random, mm.
    ground : HU that the tissue around should mostly have.
    limit : greatest long axis there, mm.
    """

    place: str
    centre: tuple[float, float, float]
    spread: tuple[float, float, float]
    ground: tuple[float, float]
    limit: float


def _pairs(
    place: str,
    centre: tuple[float, float, float],
    spread: tuple[float, float, float],
    ground: tuple[float, float],
    limit: float,
) -> list[Site]:
    x, y, z = centre
    return [Site(place, (side * x, y, z), spread, ground, limit) for side in (-1, 1)]


FIXED: dict[int, list[Site]] = {
    MEDIASTINUM: [
        Site("mediastinum", (-24, 2, 502), (4, 5, 10), FAT, 38),
        Site("mediastinum", (3, 36, 455), (6, 4, 6), FAT, 40),
        Site("mediastinum", (30, 2, 477), (4, 6, 5), FAT, 34),
        Site("mediastinum", (4, -46, 488), (8, 6, 12), FAT, 60),
        Site("mediastinum", (16, 18, 515), (6, 6, 10), FAT, 30),
        Site("mediastinum", (-16, 34, 425), (5, 4, 12), FAT, 30),
        *_pairs("hilum", (46, 10, 448), (5, 7, 8), ANY, 45),
        Site("mediastinum", (-34, -48, 385), (6, 5, 5), FAT, 30),
    ],
    ABDOMEN: [
        Site("retroperitoneum", (26, 20, 225), (4, 6, 30), FAT_OR_FLESH, 60),
        Site("retroperitoneum", (26, 22, 252), (4, 5, 10), FAT_OR_FLESH, 45),
        Site("retroperitoneum", (-8, 2, 240), (4, 4, 20), FAT_OR_FLESH, 45),
        Site("retroperitoneum", (-34, 24, 236), (4, 5, 15), FAT_OR_FLESH, 40),
        Site("retroperitoneum", (14, 2, 308), (5, 4, 5), FAT_OR_FLESH, 34),
        Site("mesentery", (0, -40, 180), (40, 16, 35), FAT_OR_FLESH, 90),
        Site("mesentery", (30, -30, 215), (20, 14, 20), FAT_OR_FLESH, 60),
        Site("mesentery", (12, -34, 244), (14, 8, 8), FAT_OR_FLESH, 50),
        Site("mesentery", (40, -36, 240), (14, 10, 8), FAT_OR_FLESH, 60),
        Site("pancreas", (20, -8, 285), (30, 6, 6), FAT_OR_FLESH, 60),
        Site("pancreas", (-28, -8, 258), (5, 4, 6), FAT_OR_FLESH, 50),
        Site("spleen", (98, 34, 325), (8, 16, 16), (85.0, 150.0), 50),
        Site("adrenal gland", (44, 32, 304), (3, 3, 4), FAT_OR_FLESH, 45),
        Site("adrenal gland", (-36, 38, 302), (3, 3, 4), FAT_OR_FLESH, 45),
        Site("peritoneum", (60, -70, 236), (50, 8, 40), FAT_OR_FLESH, 40),
        Site("peritoneum", (0, -76, 238), (40, 5, 16), FAT_OR_FLESH, 34),
        Site("stomach", (70, -40, 320), (10, 12, 14), ANY, 55),
    ],
    KIDNEY: [
        *_pairs("kidney", (62, 44, 262), (12, 14, 28), (60.0, 240.0), 70),
        *_pairs("kidney", (78, 46, 262), (6, 16, 28), ANY, 60),
    ],
    PELVIS: [
        *_pairs("pelvis", (58, -8, 66), (4, 8, 12), FAT, 40),
        *_pairs("pelvis", (52, 40, 84), (5, 6, 12), FAT, 36),
        *_pairs("pelvis", (48, 10, 60), (6, 8, 8), ANY, 80),
        Site("pelvis", (0, 84, 50), (8, 3, 14), FAT, 40),
        *_pairs("pelvis", (50, -12, 40), (4, 10, 10), ANY, 45),
        Site("pelvis", (0, 10, 80), (20, 14, 10), ANY, 90),
    ],
    SOFT_TISSUE: [
        *_pairs("axilla", (132, 12, 508), (8, 12, 12), ANY, 40),
        *_pairs("groin", (74, -74, 8), (6, 5, 12), ANY, 40),
        *_pairs("muscle", (48, 112, 230), (10, 6, 60), (20.0, 90.0), 60),
        *_pairs("muscle", (110, 62, 60), (14, 14, 22), ANY, 75),
        *_pairs("breast", (80, -96, 415), (14, 4, 12), FAT, 45),
        Site("subcutaneous tissue", (0, -110, 200), (60, 3, 60), FAT, 28),
        *_pairs("subcutaneous tissue", (100, 122, 110), (20, 8, 30), ANY, 50),
    ],
    BONE: [
        *_pairs("pelvic bone", (82, 44, 108), (10, 8, 18), (120.0, 900.0), 50),
        *_pairs("sacrum", (26, 86, 92), (6, 4, 10), (100.0, 900.0), 40),
        *_pairs("femur", (108, 6, -8), (8, 3, 8), (60.0, 900.0), 40),
    ],
}


def candidates(anatomy: Anatomy, kind: int, random: np.random.Generator) -> list[Site]:
    """Possible sites for a lesion of a type, in random order."""
    if kind == LUNG:
        points = random.uniform((12, -90, 300), (138, 100, 552), size=(60, 3)) * np.where(
            random.random((60, 1)) < 0.5, -1, 1
        ) ** [1, 0, 0]
        x, y, z = (points[:, axis, None].astype(np.float32) for axis in range(3))
        inside, _ = cavity(anatomy.build, x, y, z)
        depth = -anatomy.thorax.lung_distance(x, y, z, inside)[:, 0]
        return [
            Site("lung", triple(point), (0, 0, 0), LUNG_AIR, float(2.3 * space))
            for point, space in zip(points, depth, strict=True)
            if space > 4
        ]
    if kind == LIVER:
        return [
            Site("liver", triple(point), (0, 0, 0), (20.0, 190.0), 95)
            for point in anatomy.abdomen.liver_points(random, 12)
        ]
    sites = [site for site in FIXED[kind] if site.place != "breast" or anatomy.build.sex == "F"]
    if kind == BONE:
        for z in (167.0, 202, 236, 269, 300, 357, 408, 455):
            y = float(bones.spine_y(z))
            sites.append(Site("vertebra", (0.0, y, z), (7, 5, 5), (60.0, 900.0), 32))
    order = random.permutation(len(sites))
    return [sites[index] for index in order]


def grow(
    anatomy: Anatomy, number: int, kind: int, phase: str, span: tuple[float, float], random: np.random.Generator
) -> Lesion:
    """Draw one lesion of a type between two heights: where the surrounding tissue is right and there is room."""
    wanted = float(np.clip(MEDIAN_LONG_MM * np.exp(SPREAD * random.normal()), 5.5, LARGEST[kind]))
    frame = anatomy.build.frame
    best: tuple[float, Site, NDArray[np.float64], float] | None = None
    low, high = span[0] + MARGIN_MM, span[1] - MARGIN_MM
    within = [site for site in candidates(anatomy, kind, random) if low < site.centre[2] < high]
    for attempt, site in enumerate(within):
        centre = np.array(site.centre) + random.normal(0, 1, 3) * site.spread
        centre[2] = np.clip(centre[2], low, high)
        place = frame.to_patient(anatomy.warp.undo(centre)[0])
        size = min(wanted, site.limit)
        score = _fit(anatomy, place, size, kind, site.ground, phase) + 0.5 * size / wanted
        if best is None or score > best[0]:
            best = (score, site, place, size)
        if score > 1.25 or attempt >= 7:
            break
    if best is None:
        raise NoRoom(f"no place for a lesion of type {kind}")
    _, site, place, size = best
    tissue = _tissue(anatomy, kind, site.place, phase, random)
    a = size / 2
    bumps = [
        (
            *(float(v) for v in random.normal(0, 1, 3) * random.uniform(1.2, 3.6)),
            float(random.uniform(0, 6.28)),
            float(random.uniform(0.02, 0.085)),
        )
        for _ in range(5)
    ]
    smooth = 0.35 if tissue["smooth"] else 1.0
    return Lesion(
        id=number,
        type=kind,
        place=site.place,
        centre=triple(place),
        radii=(a, a * float(random.uniform(0.55, 0.97)), a * float(random.uniform(0.6, 1.1))),
        turn=float(random.uniform(0, 180)),
        bumps=tuple((kx, ky, kz, phi, amplitude * smooth) for kx, ky, kz, phi, amplitude in bumps),
        hu=tissue["hu"],
        opacity=tissue["opacity"],
        core=None if np.isnan(tissue["core"]) else tissue["core"],
        blur=tissue["blur"],
        limit=min(site.limit, LARGEST[kind]),
        wall=None if kind in (BONE, SOFT_TISSUE) else _wall(anatomy, place),
    )


def _wall(anatomy: Anatomy, place: NDArray[np.float64]) -> tuple[float, float, float, float] | None:
    """Direction and distance (mm) of the nearest point of the wall as of `Lesion.wall`; None where it is far away."""
    spacing, size = 2.0, 61
    canvas = Canvas(axial(place, spacing, size, 1.0), anatomy.build.frame, anatomy.warp)
    inside = measure(canvas, anatomy.build).inside
    rows, columns = np.nonzero(inside > -WALL_MM)
    if not len(rows) or inside[size // 2, size // 2] > -WALL_MM - spacing:
        return None
    steps = np.stack([columns, rows], axis=1) - (size - 1) / 2
    nearest = steps[int(np.square(steps).sum(axis=1).argmin())] * spacing
    room = float(np.linalg.norm(nearest))
    return float(nearest[0] / room), float(nearest[1] / room), 0.0, room


def _fit(
    anatomy: Anatomy, place: NDArray[np.float64], size: float, kind: int, ground: tuple[float, float], phase: str
) -> float:
    """How well the surroundings suit a lesion.

    The share whose HU lie in the range, less twice the share of air outside the body and, unless it is the liver's,
    twice the share of liver. A lesion of an inner organ has its centre inside the wall.
    """
    plane = axial(place, max(1.5, size / 14), 18, 1.0)
    canvas = Canvas(plane, anatomy.build.frame, anatomy.warp)
    depths = anatomy.paint(canvas, phase)
    wrong = float(np.mean(depths.inside > depths.outer))
    if kind not in (BONE, SOFT_TISSUE):
        wrong += float(depths.inside[len(depths.inside) // 2, len(depths.inside) // 2]) > -2 * WALL_MM
    if kind != LIVER:
        wrong += anatomy.abdomen.liver_share(canvas, depths)
    return float(np.mean((canvas.hu > ground[0]) & (canvas.hu < ground[1]))) - 2 * wrong


def _tissue(anatomy: Anatomy, kind: int, place: str, phase: str, random: np.random.Generator) -> dict[str, float]:
    """HU, opacity, core and border of a lesion: from easy to barely visible."""
    uptake = enhanced("lesion", phase)
    hu, opacity, core, blur, smooth = (
        38 + uptake * float(random.uniform(0.5, 1.5)),
        1.0,
        np.nan,
        float(random.uniform(0.3, 1.5)),
        0.0,
    )
    if kind == LIVER:
        base = enhanced("liver", phase) - anatomy.abdomen.steatosis
        contrast = float(np.exp(random.uniform(np.log(13), np.log(75))))
        hu = max(base - contrast, 2.0)
        if phase == "arterial" and random.random() < 0.35:
            hu = base + 0.7 * contrast
        blur = float(random.uniform(0.5, 4.0))
        if contrast < 45 and random.random() < 0.3:
            core = hu - 22
    elif kind == LUNG:
        hu, blur = float(random.uniform(5, 60)), float(random.uniform(0.2, 1.2))
        if random.random() < 0.15:
            hu, opacity, blur = -420.0, 0.75, 2.5
        elif random.random() < 0.1:
            core = -850.0
    elif kind == KIDNEY:
        if random.random() < 0.55:
            hu, smooth, blur = float(random.normal(9, 6)), 1.0, 0.3
        else:
            hu = 45 + uptake * 1.6
    elif kind == BONE:
        hu, blur = (
            (float(random.normal(55, 18)), 1.2) if random.random() < 0.6 else (float(random.normal(720, 120)), 1.8)
        )
    elif place == "spleen":
        hu = enhanced("spleen", phase) - float(random.uniform(18, 70))
    elif place == "muscle":
        hu = enhanced("muscle", phase) + float(random.choice([-1, 1]) * random.uniform(14, 38))
    elif kind == PELVIS and random.random() < 0.2:
        hu, smooth = float(random.normal(14, 6)), 1.0
    elif random.random() < 0.18:
        core = hu - float(random.uniform(20, 40))
    return {"hu": hu, "opacity": opacity, "core": core, "blur": blur, "smooth": smooth}


def types_for(patient: int, count: int, among: Sequence[int], random: np.random.Generator) -> list[int]:
    """Types of a patient's lesions: every fifth patient has a rare one, so that all occur in a hospital of 20."""
    shares = np.array([SHARES[kind] for kind in among])
    drawn = [int(kind) for kind in random.choice(among, size=count, p=shares / shares.sum())]
    rare: Sequence[int] = (KIDNEY, BONE, SOFT_TISSUE, PELVIS)
    if patient % 5 == 3:
        drawn[0] = rare[(patient // 5) % 4]
    return drawn
