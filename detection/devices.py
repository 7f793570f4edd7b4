"""Command line: `python -m detection.devices` prints what a detector can run on here, as JSON.

A program of its own, because torch takes seconds to load and memory to keep: whoever only asks needs neither.
"""

import json
import platform
import sys
from typing import Any

import torch


def main() -> int:
    """Print GPUs as PyTorch sees them, and the processor; returns the exit status."""
    sys.stdout.write(json.dumps(found()) + "\n")
    return 0


def found() -> dict[str, Any]:
    """Names of the `gpus`, and the `cpu` in words."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {
        "gpus": [torch.cuda.get_device_name(index) for index in range(count)],
        "cpu": f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)",
    }


if __name__ == "__main__":
    sys.exit(main())
