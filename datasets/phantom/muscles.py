"""The muscles around hips and shoulders, each by itself, so that fat can lie between them."""

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.body import Depths
from datasets.phantom.bones import above_ribs
from datasets.phantom.build import Build, enhanced
from datasets.phantom.canvas import Canvas, cut, soft
from datasets.phantom.shapes import bar_distance

Table = NDArray[np.float64]

# Rows of height, then of the muscle's cross-section: start x, y, end x, y, radius (left side of the body, mm).
_MUSCLES: tuple[Table, ...] = tuple(
    np.array(rows, dtype=np.float64)
    for rows in (
        # gluteus maximus
        [
            [98, 40, 102, 70, 92, 4],
            [75, 34, 104, 100, 74, 14],
            [40, 28, 100, 116, 58, 20],
            [5, 26, 92, 120, 50, 21],
            [-30, 34, 80, 118, 42, 19],
            [-62, 60, 60, 112, 38, 12],
            [-80, 80, 54, 104, 40, 4],
        ],
        # gluteus medius and minimus
        [
            [150, 90, 44, 112, 18, 4],
            [120, 78, 66, 130, 0, 12],
            [90, 76, 70, 138, -6, 16],
            [60, 98, 44, 138, -16, 16],
            [28, 118, 30, 136, -14, 12],
            [2, 132, 22, 138, 4, 6],
            [-8, 134, 18, 136, 8, 2],
        ],
        # iliopsoas
        [
            [84, 76, -10, 92, -18, 16],
            [50, 78, -28, 94, -32, 15],
            [20, 80, -34, 96, -32, 14],
            [-10, 92, -24, 100, -20, 13],
            [-40, 98, -6, 102, -4, 8],
        ],
        # sartorius and rectus femoris
        [
            [50, 112, -46, 116, -44, 5],
            [25, 104, -56, 112, -50, 9],
            [-10, 94, -58, 112, -46, 11],
            [-60, 90, -54, 112, -44, 12],
            [-160, 80, -48, 112, -40, 13],
        ],
        # tensor of the fascia lata
        [
            [60, 128, -30, 130, -28, 5],
            [20, 132, -38, 136, -28, 9],
            [-40, 136, -30, 140, -16, 8],
            [-80, 140, -16, 140, -10, 4],
        ],
        # pectineus
        [[8, 56, -50, 70, -44, 5], [-15, 48, -44, 78, -32, 9], [-45, 68, -34, 90, -18, 8], [-70, 84, -22, 94, -10, 4]],
        # adductor longus, brevis, magnus and gracilis, which are one below the ischium
        [[-12, 24, -48, 34, -46, 4], [-45, 36, -46, 62, -38, 9], [-76, 48, -36, 70, -28, 9]],
        [[-22, 30, -32, 44, -26, 5], [-45, 36, -26, 72, -12, 9], [-76, 44, -20, 80, -10, 9]],
        [[-40, 46, 0, 60, 10, 5], [-62, 46, 8, 84, 18, 11], [-76, 46, 8, 82, 14, 9]],
        [[-28, 16, -34, 20, -22, 3], [-60, 26, -30, 30, -10, 6], [-76, 28, -24, 32, -6, 6]],
        [[-66, 42, -14, 64, -4, 8], [-78, 44, -10, 64, -2, 24], [-90, 46, -8, 66, 0, 27], [-160, 50, 0, 66, 4, 30]],
        # obturator externus, quadratus femoris
        [[-2, 56, -12, 80, 8, 5], [-20, 44, -18, 92, 16, 9], [-34, 50, -12, 96, 18, 8], [-48, 54, 0, 90, 20, 4]],
        [[-30, 76, 36, 104, 28, 5], [-45, 78, 34, 108, 26, 8], [-60, 80, 30, 108, 24, 7], [-74, 92, 26, 106, 22, 3]],
        # quadriceps around the femur
        [
            [-24, 126, -14, 136, 0, 6],
            [-50, 120, -12, 136, 10, 17],
            [-90, 112, -14, 128, 10, 26],
            [-160, 106, -18, 122, 10, 28],
        ],
        # hamstrings
        [[-46, 66, 50, 74, 50, 5], [-70, 64, 50, 80, 52, 11], [-80, 64, 48, 76, 48, 12]],
        [[-56, 78, 50, 84, 48, 4], [-76, 68, 48, 94, 47, 13], [-160, 68, 46, 96, 46, 18]],
        # pectoralis major and minor
        [
            [562, 74, -40, 124, -12, 6],
            [545, 52, -58, 130, -14, 10],
            [515, 30, -76, 134, -24, 11],
            [490, 28, -86, 126, -44, 10],
            [462, 30, -94, 110, -64, 7],
            [436, 34, -98, 84, -86, 2],
        ],
        [[545, 100, -12, 116, 2, 5], [505, 76, -54, 110, -26, 6], [476, 76, -68, 92, -56, 3]],
        # subscapularis
        [
            [560, 106, 58, 146, 24, 6],
            [545, 96, 66, 146, 24, 9],
            [515, 84, 88, 134, 34, 11],
            [488, 88, 94, 122, 50, 9],
            [455, 96, 92, 108, 72, 4],
        ],
        # supraspinatus, infraspinatus
        [[576, 72, 60, 118, 34, 6], [560, 78, 62, 134, 28, 11], [546, 86, 70, 118, 44, 8]],
        [
            [560, 104, 92, 154, 44, 7],
            [545, 98, 102, 156, 50, 11],
            [515, 94, 116, 152, 62, 12],
            [488, 94, 118, 142, 70, 10],
            [460, 98, 112, 124, 84, 6],
            [438, 104, 104, 114, 92, 2],
        ],
        # deltoid
        [
            [574, 128, 0, 152, 6, 5],
            [562, 122, -12, 166, 4, 9],
            [545, 120, -18, 172, 6, 9],
            [526, 128, -16, 168, 8, 8],
            [517, 140, -10, 162, 12, 6],
        ],
        [
            [574, 154, 14, 146, 44, 5],
            [562, 168, 14, 146, 56, 9],
            [545, 174, 14, 150, 62, 9],
            [526, 170, 16, 154, 54, 8],
            [517, 162, 18, 156, 46, 6],
        ],
        # trapezius and rhomboids
        [
            [620, 10, 62, 46, 52, 9],
            [580, 8, 88, 92, 72, 11],
            [562, 8, 100, 122, 76, 10],
            [545, 8, 110, 110, 98, 8],
            [515, 8, 124, 84, 116, 7],
            [480, 8, 132, 70, 124, 5],
            [440, 8, 134, 50, 126, 3],
        ],
        # erector spinae of the upper back and neck
        [
            [640, 16, 56, 24, 54, 13],
            [560, 22, 92, 34, 92, 14],
            [515, 24, 110, 44, 108, 13],
            [470, 24, 116, 48, 112, 13],
        ],
        # latissimus and teres major
        [
            [520, 134, 56, 140, 48, 4],
            [500, 128, 66, 146, 40, 9],
            [472, 122, 76, 148, 30, 10],
            [445, 116, 84, 148, 26, 5],
        ],
        # sternocleidomastoid, scalenes
        [[640, 40, -2, 50, 10, 9], [600, 32, -20, 42, -12, 8], [566, 18, -36, 32, -34, 6], [530, 12, -52, 22, -50, 3]],
        [[640, 24, 22, 34, 26, 8], [590, 28, 18, 42, 28, 10], [562, 36, 8, 58, 24, 8], [540, 60, -6, 74, 10, 4]],
        # levator of the shoulder blade
        [[640, 34, 38, 42, 44, 6], [585, 50, 52, 66, 60, 8], [560, 64, 66, 82, 74, 8], [540, 78, 78, 90, 86, 5]],
    )
)


def loosened(canvas: Canvas, depths: Depths) -> NDArray[np.float32]:
    """How much of the wall's own muscle stays, 0..1: around hips and shoulders its place is taken."""
    low = np.interp(canvas.z, [94, 114], [0.0, 1.0]).astype(np.float32)
    low = low * np.interp(canvas.z, [478, 498], [1.0, 0.0]).astype(np.float32)
    own: NDArray[np.float32] = np.broadcast_to(low, depths.inside.shape)
    if float(canvas.z.min()) < 114:  # the rectus, down to the pubis
        half = np.interp(canvas.z, [-12, 20, 94, 114], [9, 24, 50, 70]).astype(np.float32)
        rectus = soft(np.abs(np.abs(canvas.BX) - half / 2 - np.float32(0.8)) - half / 2, np.float32(3))
        rectus *= soft(-6 - canvas.z, np.float32(6)) * (canvas.BY < 0)
        own = np.maximum(own, rectus)
    if float(canvas.z.max()) > 400:  # between the ribs
        chest = soft(depths.inside - np.float32(11.5), np.float32(2)) * (canvas.z > 400)
        chest *= soft(above_ribs(canvas.BX, canvas.BY, canvas.z) - 3, np.float32(8))
        own = np.maximum(own, chest)
    return np.asarray(own, dtype=np.float32)


def paint(canvas: Canvas, build: Build, phase: str, depths: Depths) -> None:
    """Paint the muscles over fat, under the subcutaneous layer."""
    if float(canvas.z.min()) > 125 and float(canvas.z.max()) < 470:
        return
    edge = np.float32(canvas.pixel + 0.3 * canvas.slab)
    tone = np.float32(enhanced("muscle", phase))
    size = np.float32(1.1 * build.muscle + 0.08 * (1 - build.fat))
    for table in _MUSCLES:
        xs, ys, reach = table[:, [1, 3]], table[:, [2, 4]], table[:, 5].max()
        for side in (1, -1):
            left, right = sorted((side * (xs.min() - reach), side * (xs.max() + reach)))
            window = canvas.window(
                (left, ys.min() - reach, table[:, 0].min()), (right, ys.max() + reach, table[:, 0].max())
            )
            if window is None:
                continue
            z = cut(canvas.z, window)
            order = np.argsort(table[:, 0])
            ax, ay, bx, by, radius = (
                np.interp(z, table[order, 0], column).astype(np.float32) for column in table[order, 1:].T
            )
            distance = bar_distance(canvas, window, (side * ax, ay), (side * bx, by)) - radius * size
            distance += np.float32(0.8) * canvas.noise(window, 17.0, 62)
            under = depths.inside[window] - depths.outer[window] + np.float32(2 + 7 * build.fat)
            texture = tone + 5 * canvas.noise(window, 9.0, 63)
            # Fat between the fascicles: thin strands, more of them with age and fat.
            strands = np.clip(1 - np.abs(canvas.noise(window, 26.0, 64)) * 9, 0, 1)
            texture -= strands * np.float32(45 * build.fat)
            canvas.paint(window, soft(np.maximum(distance, under), edge), texture)
