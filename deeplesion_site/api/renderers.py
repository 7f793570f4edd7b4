"""Lesions as CSV, one line at a time, however many there are."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from rest_framework.renderers import BaseRenderer

from datasets.selectors.flat import COLUMNS


class LesionCSVRenderer(BaseRenderer):
    """Names the format; the view streams the lines itself."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        raise NotImplementedError("the lines are streamed by csv_lines")


def csv_lines(rows: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Header and lines of `datasets.selectors.flat.lesion_rows`."""
    writer = csv.writer(_Echo(), lineterminator="\n")
    yield writer.writerow(COLUMNS)
    for row in rows:
        yield writer.writerow(row)


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text
