"""How one patient is built: the numbers that every organ's size and place follow, and what contrast does to them."""

from dataclasses import dataclass

import numpy as np

from datasets.phantom.canvas import Frame
from datasets.phantom.plane import triple
from datasets.phantom.seeds import rng

PHASES = ("none", "arterial", "portal", "delayed")

# HU per phase, in the order of PHASES; typical values of the CT literature for 300 mg I/ml given at 2-4 ml/s.
ENHANCEMENT: dict[str, tuple[float, float, float, float]] = {
    "artery": (42, 310, 155, 112),
    "vein": (41, 75, 150, 112),
    "portal vein": (42, 105, 172, 116),
    "pulmonary artery": (42, 240, 145, 110),
    "chamber": (41, 260, 148, 110),
    "myocardium": (46, 92, 104, 90),
    "liver": (57, 70, 110, 92),
    "spleen": (48, 118, 120, 96),
    "cortex": (33, 165, 190, 150),
    "medulla": (31, 55, 165, 150),
    "renal pelvis": (4, 5, 12, 330),
    "pancreas": (41, 102, 92, 72),
    "muscle": (54, 57, 63, 62),
    "bowel wall": (36, 84, 82, 62),
    "bladder": (4, 4, 6, 60),
    "uterus": (46, 78, 108, 98),
    "thyroid": (95, 180, 165, 135),
    "lesion": (0, 18, 30, 22),
}


@dataclass(frozen=True)
class Build:
    """One patient's body.

    Attributes
    ----------
    sex : "F" or "M".
    age : years at the first study.
    fat : thickness of subcutaneous fat relative to average, 0.35 (thin) to 2.6 (obese).
    visceral : fat inside the abdomen, relative, 0.5 to 1.6.
    muscle : thickness of muscle, relative.
    frame : from the body frame to the patient's space.
    """

    seed: int
    sex: str
    age: int
    fat: float
    visceral: float
    muscle: float
    frame: Frame

    def rng(self, *names: object) -> np.random.Generator:
        """A named stream of random numbers of this patient."""
        return rng(self.seed, "build", *names)

    def jitter(self, name: str, *deviations: float) -> tuple[float, ...]:
        """Normal numbers with the given deviations, cut at two deviations."""
        values = np.clip(self.rng(name).standard_normal(len(deviations)), -2, 2)
        return tuple(float(value * deviation) for value, deviation in zip(values, deviations, strict=True))


def make(seed: int, sex: str, age: int) -> Build:
    """Draw a body for a patient of this sex and age."""
    random = rng(seed, "habitus")
    male = sex == "M"
    habitus = float(np.clip(random.normal(0, 1), -1.7, 2.2))
    child = min(1.0, 0.55 + age / 36)
    height = (1.02 if male else 0.95) * child * (1 + 0.035 * float(np.clip(random.normal(), -2, 2)))
    girth = (1.02 if male else 0.94) * child * (1 + 0.03 * habitus + 0.02 * float(np.clip(random.normal(), -2, 2)))
    return Build(
        seed=seed,
        sex=sex,
        age=age,
        fat=float(np.clip((0.95 if male else 1.25) * np.exp(0.42 * habitus), 0.35, 2.6)) * child,
        visceral=float(np.clip((1.1 if male else 0.9) * np.exp(0.3 * habitus + 0.15 * random.normal()), 0.5, 1.6)),
        muscle=float(np.clip((1.05 if male else 0.9) * (1.1 - max(0, age - 45) / 200), 0.7, 1.15)),
        frame=Frame(
            (girth, girth * (1 + 0.04 * float(np.clip(random.normal(), -2, 2))), height),
            triple((random.normal(0, 4), random.normal(-150, 8), random.uniform(-900, -500))),
        ),
    )


def enhanced(tissue: str, phase: str) -> float:
    """HU of a tissue in a contrast phase."""
    return ENHANCEMENT[tissue][PHASES.index(phase)]
