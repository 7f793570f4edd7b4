"""Command line: `python -m detection.bodypart.train RELEASE --preset small --out RUN`."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import torch

from detection import accepted
from detection.bodypart.errors import BodyPartError
from detection.bodypart.settings import PRESETS
from detection.bodypart.training import train
from detection.errors import INTERRUPTED
from detection.progress import Teller


def main(arguments: list[str] | None = None) -> int:
    """Train once; prints the model's facts as one line of JSON and returns the exit status."""
    options = _parser().parse_args(arguments)
    preset = PRESETS[options.preset]
    if options.steps:
        preset = dataclasses.replace(preset, steps=options.steps)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        model = train(
            options.release,
            options.out,
            preset=preset,
            seed=options.seed,
            device=options.device,
            seconds=options.seconds,
            threads=options.threads or torch.get_num_threads(),
            progress=Teller(options.out),
        )
    except BodyPartError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; the same command goes on from the newest checkpoint.\n")
        return INTERRUPTED
    except OSError as error:
        sys.stderr.write(f"{options.out} cannot be written: {error.strerror}.\n")
        return 1
    sys.stdout.write(json.dumps(model.facts) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m detection.bodypart.train", description="Train a body-part regressor on a release."
    )
    parser.add_argument("release", type=Path, help="folder with DL_info.csv and Images_png")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; a broken-off run goes on")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="small")
    parser.add_argument("--seed", type=accepted.seed, default=0)
    parser.add_argument("--steps", type=accepted.positive, help="instead of the preset's")
    parser.add_argument("--seconds", type=accepted.above_zero, help="stop learning after so long")
    parser.add_argument("--threads", type=accepted.positive, help="processor threads; the result depends on them")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    return parser


if __name__ == "__main__":
    sys.exit(main())
