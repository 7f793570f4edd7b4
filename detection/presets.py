"""What a detector is and how it is trained, as plain frozen values; a run stores its own copy."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from detection.errors import BadRun

Backbone = Literal["vgg16", "alexnet", "resnet50", "densenet121", "narrow"]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What the paper did not do; all of it is off in `paper` and `context` unless asked for."""

    flip: bool = False
    """Mirror left and right, half of the time."""
    scale: float = 0.0
    """Zoom by up to this share, in or out."""
    z_jitter_mm: float = 0.0
    """Move the key slice's neighbours by up to so many mm."""


@dataclass(frozen=True, slots=True)
class Input:
    """How slices become the network's input."""

    size: int = 512
    """Columns and rows of the input."""
    spacing_mm: float | None = None
    """None: resize the whole slice, as in the paper. Else crop to the body and bring a pixel to so many mm."""
    groups: int = 1
    """Groups of three slices; an odd number, the middle one holds the key slice."""
    step_mm: float = 2.0
    """Distance of neighbouring channels."""
    windows: tuple[tuple[float, float], ...] = ((-1024.0, 3071.0),)
    """HU that become 0 and 255; several windows show the network every slice several times."""

    @property
    def channels(self) -> int:
        """Slices per sample."""
        return 3 * self.groups

    @property
    def offsets_mm(self) -> tuple[float, ...]:
        """Distance of each channel from the key slice, towards the feet."""
        half = self.channels // 2
        return tuple((number - half) * self.step_mm for number in range(self.channels))


@dataclass(frozen=True, slots=True)
class Network:
    """Layers and numbers of the detector."""

    backbone: Backbone = "vgg16"
    scales: tuple[float, ...] = (16, 24, 32, 48, 96)
    """Square roots of the anchors' areas in pixels of the input."""
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Height over width."""
    rpn_channels: int = 512
    head_channels: int = 512
    pooling: Literal["pool", "align"] = "pool"
    nms_proposals: float = 0.7
    nms_detections: float = 0.3
    before_nms: int = 6000
    proposals_training: int = 2000
    proposals: int = 300
    detections: int = 100
    """At most so many per image."""


@dataclass(frozen=True, slots=True)
class Training:
    """The optimiser's numbers."""

    optimizer: Literal["sgd", "adamw"] = "sgd"
    batch: int = 8
    epochs: int = 8
    drop_after: int = 6
    """Epochs after which the learning rate is divided by ten."""
    steps: int = 0
    """Above 0: so many steps instead of epochs, whatever the release's size, the learning rate falling to 0 in a
    straight line."""
    validate_every: int = 0
    """Steps between looks at the validation split; 0: each epoch."""
    learning_rate: float = 0.002
    momentum: float = 0.9
    weight_decay: float = 0.0005
    warmup: int = 0
    """Steps over which the learning rate rises from a tenth."""
    clip_norm: float = 35.0
    """Gradients are scaled down to this norm."""
    anchors_per_image: int = 256
    anchor_overlap: float = 0.7
    """From which an anchor stands for a lesion."""
    proposals_per_image: int = 32
    foreground: float = 0.25
    """Share of sampled proposals that are lesions."""
    ignore_unannotated: float = 0.0
    """Above 0: proposals that overlap no lesion but were scored above 0.9 by the region proposal network are left out
    of the negatives, as they may be lesions that nobody annotated; this is the share of them left out."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One named choice of all of it."""

    name: str
    input: Input = field(default_factory=Input)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)


PAPER = Preset("paper")
"""The paper's detector, section 2.3."""

CONTEXT = Preset("context", input=Input(groups=3))
"""Nine slices through one backbone, fused before the head (3DCE)."""

TINY = Preset(
    "tiny",
    input=Input(size=256, windows=((-1024.0, 3071.0), (-160.0, 240.0))),
    network=Network(
        backbone="narrow",
        scales=(8, 12, 18, 27, 40),
        ratios=(1.0,),
        rpn_channels=32,
        head_channels=64,
        pooling="align",
        before_nms=600,
        proposals_training=300,
        proposals=100,
        detections=50,
    ),
    training=Training(
        optimizer="adamw",
        steps=1400,
        validate_every=700,
        learning_rate=0.004,
        warmup=20,
        weight_decay=0.01,
        anchors_per_image=64,
        anchor_overlap=0.5,
        foreground=0.5,
        clip_norm=10,
    ),
    augmentation=Augmentation(flip=True, scale=0.15),
)
"""Narrow and small, for a CPU."""

PRESETS = {preset.name: preset for preset in (PAPER, CONTEXT, TINY)}

PARAMETERS: dict[Backbone, int] = {
    "vgg16": 26_900_000,
    "alexnet": 11_700_000,
    "resnet50": 27_800_000,
    "densenet121": 17_000_000,
    "narrow": 400_000,
}
"""Weights of the largest preset with a backbone, for whoever plans without torch."""


def to_json(preset: Preset) -> dict[str, Any]:
    """Values for JSON."""
    return dataclasses.asdict(preset)


def options(preset: Preset) -> dict[str, Any]:
    """What differs from the preset of its name, by the names of the fields, as `training.epochs`."""
    own, named = (dataclasses.asdict(each) for each in (preset, PRESETS.get(preset.name, Preset(preset.name))))
    parts = ("input", "network", "training", "augmentation")
    return {
        f"{part}.{name}": value for part in parts for name, value in own[part].items() if value != named[part][name]
    }


def from_json(content: dict[str, Any]) -> Preset:
    """A preset out of a run's file.

    Raises
    ------
    BadRun : its fields are not the ones of this version.
    """
    parts = {"input": Input, "network": Network, "training": Training, "augmentation": Augmentation}
    try:
        if content["network"]["backbone"] not in get_args(Backbone):
            raise KeyError(content["network"]["backbone"])
        made = {name: kind(**_tuples(content[name])) for name, kind in parts.items()}
        return Preset(content["name"], **made)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRun("The run was made by another version of the detector; train it again") from error


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuple(value) for name, value in values.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
