"""What anybody can bring about with a request is one line in the log, not a page of it."""

import logging


class OneLine(logging.Formatter):
    """The sentence alone: where in the code it was noticed says nothing about who sent it."""

    def format(self, record: logging.LogRecord) -> str:
        """The message without line breaks and without a traceback."""
        return " ".join(record.getMessage().split())
