"""What is written for the eye alone: work that takes hours does not end because a database is away for a moment."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)


@contextmanager
def for_the_eye() -> Iterator[None]:
    """Write how far something is; where the database does not answer that is left out, and told the next time.

    Raises
    ------
    OperationalError, InterfaceError : within a transaction, which is lost as a whole.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if connection.in_atomic_block:
            raise
        connection.close()
        logger.warning("how far the work is could not be written (%s)", type(error).__name__)
