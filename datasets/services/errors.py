"""What all refusals of the services have in common, and what is kept of work that ended early."""

from typing import Any


class Unfinished(RuntimeError):
    """Work that ended early; the message is one sentence for whoever asked, and what it did until then is kept."""

    @property
    def so_far(self) -> dict[str, Any]:
        """What the work would have reported, up to where it ended; may be stored."""
        raise NotImplementedError


class Refused(ValueError):
    """Nothing was written; the message is one sentence for whoever asked."""
