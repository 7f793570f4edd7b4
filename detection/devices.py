"""Command line: `python -m detection.devices` prints the names of the GPUs that PyTorch can use here, as JSON.

A program of its own, because torch takes seconds to load and memory to keep: whoever only asks needs neither.
"""

import json
import sys

import torch


def main() -> int:
    """Print them; returns the exit status."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    sys.stdout.write(json.dumps([torch.cuda.get_device_name(index) for index in range(count)]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
