"""What goes wrong with a bucket, as errors of the operating system, so that whoever reads files need not know it."""

import errno


class StorageFailed(OSError):
    """The bucket cannot be used; one sentence says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(errno.EIO, sentence)

    def __str__(self) -> str:
        return str(self.strerror)


class StorageUnreachable(StorageFailed, ConnectionError):
    """The bucket's server does not answer, or failed: that may pass."""
