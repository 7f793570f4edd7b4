"""What can go wrong, in words for the person who started it."""


class BodyPartError(Exception):
    """Something about regressor, release or run that its user can act on."""


class NotARelease(BodyPartError):
    """The folder is no release in DeepLesion's layout, or one of another version."""


class UnreadableSlice(BodyPartError):
    """A slice is missing, damaged, larger than any slice, or no 16-bit PNG."""


class TooFewSeries(BodyPartError):
    """The release has too few series that are long enough to learn an order from."""


class NotAModel(BodyPartError):
    """The file is no body-part regressor."""


class OtherVersion(BodyPartError):
    """The model was written by another version of the regressor."""


class RunExists(BodyPartError):
    """The folder holds a run of other settings or another release, or a checkpoint that is none."""


class NoSuchDevice(BodyPartError):
    """There is no GPU to train on."""
