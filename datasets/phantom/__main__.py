"""Command line: `python -m datasets.phantom hospital|release OUT --patients N --seed S`."""

import argparse
import os
import sys
from pathlib import Path

from datasets.phantom.output import OutputExists
from datasets.phantom.pool import WorkerLost
from datasets.phantom.release import write_release


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    common = {
        "patients": options.patients,
        "seed": options.seed,
        "size": options.size,
        "processes": options.processes,
        "progress": _progress,
    }
    try:
        if options.command == "hospital":
            # Imported here because the release must run where pydicom and highdicom are not installed.
            from datasets.phantom.hospital import write_hospital

            write_hospital(options.out, **common)
        else:
            write_release(options.out, context_mm=options.context, **common)
    except (OutputExists, WorkerLost) as error:
        print(f"{error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEnded; nothing was written.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"{options.out} cannot be written: {error.strerror}.", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m datasets.phantom", description="Write a phantom hospital or release."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text, patients in (
        ("hospital", "DICOM images, SR reports and truth.json", 20),
        ("release", "DL_info.csv, Images_png and manifest.json, with numpy and Pillow alone", 100),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("out", type=Path, help="folder to write; must not exist or be empty")
        command.add_argument("--patients", type=_positive, default=patients)
        command.add_argument("--seed", type=_natural, default=1)
        command.add_argument("--size", type=_matrix, default=512, help="matrix of ordinary slices")
        command.add_argument("--processes", type=_positive, default=os.cpu_count() or 1)
        if name == "release":
            command.add_argument("--context", type=float, default=30.0, help="mm of slices around each key slice")
    return parser


def _positive(text: str) -> int:
    return _whole(text, 1, 999_999)


def _natural(text: str) -> int:
    return _whole(text, 0, 2**31 - 1)


def _matrix(text: str) -> int:
    return _whole(text, 64, 1024)


def _whole(text: str, low: int, high: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
    return value


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\rpatients {done}/{total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
