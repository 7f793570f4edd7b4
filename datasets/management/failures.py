"""Failures of the commands, as one sentence instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError, connection

from datasets.dl_info import NotDeepLesion
from datasets.services.errors import Refused


class Incomplete(CommandError):
    """What was good is in, the rest was left out and reported."""


@contextmanager
def one_sentence(untouched: str = "") -> Iterator[None]:
    """Turn what a user, the disk or the database may be the cause of into CommandError.

    Parameters
    ----------
    untouched : what the reader need not worry about after a failure of the disk, as in "nothing was imported".

    Raises
    ------
    CommandError : with the sentence.
    """
    try:
        yield
    except (Refused, NotDeepLesion) as error:
        raise CommandError(str(error)) from error
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        raise CommandError(f"{error.strerror or error}{place}{untouched and f'; {untouched}'}") from error
    except DataError as error:
        # The database's own words may hold the value.
        raise CommandError(f"a value does not fit into the database{untouched and f'; {untouched}'}") from error
    except IntegrityError as error:
        raise CommandError(
            "something else wrote to the same rows meanwhile; nothing was written, run this again"
        ) from error
    except (OperationalError, ProgrammingError) as error:
        cause = str(error).strip().splitlines()[0]
        missing = "no such table" in cause or "does not exist" in cause
        raise CommandError(
            "the database has no tables yet: run manage.py migrate first"
            if missing
            else f"the database {connection.settings_dict['NAME']} failed: {cause}"
        ) from error
