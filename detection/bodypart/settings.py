"""The two presets: one that trains on a processor while somebody waits, one for a GPU and the whole DeepLesion."""

from dataclasses import dataclass

FEWEST_SERIES = 8
"""Outside the test split; fewer teach a regressor nothing."""


@dataclass(frozen=True)
class Preset:
    """What decides a run besides the release and the seed.

    Attributes
    ----------
    size : columns and rows of the network's input.
    channels, depth : see `network.Regressor`.
    volumes, slices : a batch; SSBR takes 20 volumes of 8 slices.
    series : most series to learn from, drawn at random from a larger release; 0 takes all.
    rate : greatest learning rate; it rises to there and falls again in one cycle.
    """

    name: str
    size: int
    channels: tuple[int, ...]
    depth: int
    volumes: int
    slices: int
    series: int
    steps: int
    rate: float


PRESETS = {
    "small": Preset("small", 64, (16, 32, 64, 128), 1, 16, 8, 120, 700, 1e-2),
    "full": Preset("full", 128, (24, 48, 96, 192, 256), 2, 20, 8, 0, 20_000, 3e-3),
}

PARAMETERS = {"small": 98_000, "full": 1_689_000}
"""Weights of the presets, for whoever plans without torch."""
