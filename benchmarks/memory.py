"""The most memory that a process has held, its own alone."""

from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_megabytes() -> float:
    """Resident, of this process since its program began, in MB of 2^20 bytes (Linux).

    Not getrusage's ru_maxrss: that begins with what the process held that started this one.
    """
    fields = dict(line.split(":", 1) for line in STATUS.read_text(encoding="ascii").splitlines())
    return int(fields["VmHWM"].split()[0]) / 1024
