"""What can go wrong in words that the user understands; every command turns these into one sentence."""

INTERRUPTED = 130
"""Exit status of a command that Ctrl-C ended, as shells have it."""


class DetectorError(Exception):
    """A mistake in what was given; the message is one sentence that says what to do."""


class BadTable(DetectorError):
    """A table of lesions or detections cannot be used."""


class BadRelease(DetectorError):
    """A folder is no release, or one of another version."""


class MissingSlice(DetectorError):
    """A row's image is not there."""


class CorruptSlice(DetectorError):
    """An image cannot be decoded, or is not the 16-bit PNG it should be."""


class EmptySplit(DetectorError):
    """Nothing to train on or to evaluate."""


class BadCheckpoint(DetectorError):
    """A checkpoint or weights file belongs to another network, or is none."""


class BadRun(DetectorError):
    """A run folder cannot be used for what was asked."""


class NoDevice(DetectorError):
    """The computer has no such device, or not so many."""


class DiskFull(DetectorError):
    """There is no room for what is to be written."""


class NonFiniteLoss(DetectorError):
    """Training diverged."""


class OutOfMemory(DetectorError):
    """The device cannot hold what was asked of it."""
