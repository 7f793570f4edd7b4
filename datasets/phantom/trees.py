"""Branching vessels and airways: trees that grow from a root towards points spread through an organ."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def grow(root: Points, targets: Points, thinnest: float, power: float = 0.4, step: float = 14.0) -> Points:
    """Connect every target to the nearest part of the tree that has grown so far, near ones first.

    Parameters
    ----------
    root : (K, 3) polyline from which the tree starts, mm.
    targets : (N, 3) points that must be reached, mm.
    thinnest : radius of a last twig, mm; a branch's radius grows with the number of twigs behind it to `power`.
    step : mm between the nodes of a branch.

    Returns
    -------
    (M, 8) segments as `Tubes` takes them.
    """
    reach = np.linalg.norm(targets - root[0], axis=1)
    # A branch to a target is no longer than the way from the root: room for all nodes at once.
    nodes = np.empty((len(root) + int(np.sum(reach / step + 1)) + len(targets), 3))
    nodes[: len(root)] = root
    parents = [max(0, index - 1) for index in range(len(root))]
    for target in targets[np.argsort(reach, kind="stable")]:
        count = len(parents)
        away = nodes[:count] - target
        nearest = int(np.argmin(np.einsum("ij,ij->i", away, away)))
        gap = target - nodes[nearest]
        pieces = max(1, int(np.linalg.norm(gap) / step))
        share = np.arange(1, pieces + 1)[:, None] / pieces
        nodes[count : count + pieces] = nodes[nearest] + gap * share + [0.0, 0.0, 3.0] * np.sin(np.pi * share)
        parents += [nearest, *range(count, count + pieces - 1)]
    nodes = nodes[: len(parents)]
    behind = np.zeros(len(nodes))
    has_child = np.zeros(len(nodes), dtype=bool)
    has_child[parents[1:]] = True
    behind[~has_child] = 1
    for index in range(len(nodes) - 1, 0, -1):
        behind[parents[index]] += behind[index]
    radius = thinnest * np.maximum(behind, 1) ** power
    return np.array(
        [
            [*nodes[parents[i]], *nodes[i], min(radius[parents[i]], radius[i] * 1.25), radius[i]]
            for i in range(1, len(nodes))
        ]
    )


def chain(*points: tuple[float, float, float, float]) -> Points:
    """Segments (N - 1, 8) through points of x, y, z and radius in mm."""
    data = np.asarray(points, dtype=np.float64)
    return np.hstack([data[:-1, :3], data[1:, :3], data[:-1, 3:], data[1:, 3:]])


def smooth_path(points: Points, spacing: float = 9.0) -> Points:
    """Resample a polyline (N, 4: x, y, z, radius) as a Catmull-Rom curve with a node about every `spacing` mm."""
    points = np.asarray(points, dtype=np.float64)
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    pieces = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        count = max(1, int(np.linalg.norm((p2 - p1)[:3]) / spacing))
        t = np.arange(count)[:, None] / count
        pieces.append(
            0.5
            * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
        )
    return np.vstack([*pieces, points[-1:]])


def tube(*points: tuple[float, float, float, float]) -> Points:
    """Segments (M, 8) of a smooth curve through points of x, y, z and radius in mm."""
    return chain(*(tuple(point) for point in smooth_path(np.asarray(points))))
