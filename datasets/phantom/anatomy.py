"""A patient's whole body: the systems put together in the order in which they cover one another."""

from datasets.phantom import body, bones, hips, muscles, shoulders
from datasets.phantom.abdomen import Abdomen
from datasets.phantom.bowel import Bowel
from datasets.phantom.build import Build
from datasets.phantom.canvas import Canvas, Warp
from datasets.phantom.fields import Field
from datasets.phantom.pelvis import Pelvis
from datasets.phantom.thorax import Thorax


class Anatomy:
    """Everything of a patient that does not change between two studies."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.warp = Warp(Field(build.rng("field")))
        self.thorax = Thorax(build, self.warp)
        self.abdomen = Abdomen(build, self.warp, self.thorax)
        self.bowel = Bowel(build, self.warp)
        self.pelvis = Pelvis(build, self.warp)
        random = build.rng("table")
        self.table = (
            float(random.uniform(12, 24)),
            float(random.uniform(22, 42)),
            float(random.uniform(0.0007, 0.0013)),
        )
        """Gap under the back, distance between both shells (mm), and bend (1/mm)."""

    def paint(self, canvas: Canvas, phase: str) -> body.Depths:
        """Paint one slice in a contrast phase; returns the depths that the wall was painted with."""
        depths = body.measure(canvas, self.build)
        body.paint(canvas, self.build, phase, depths, muscles.loosened(canvas, depths))
        muscles.paint(canvas, self.build, phase, depths)
        self.thorax.lungs(canvas, depths)
        low, high = float(canvas.z.min()), float(canvas.z.max())
        if low < 430:
            self.abdomen.paint(canvas, phase, depths)
            self.bowel.paint(canvas, phase, depths)
        if low < 170:
            self.pelvis.paint(canvas, phase)
        bones.paint(canvas, self.build, depths)
        shoulders.paint(canvas, self.build)
        hips.paint(canvas, self.build)
        if high > 120:
            self.thorax.paint(canvas, phase, depths)
        return depths
