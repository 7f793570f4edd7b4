"""Imports of small tables, by the service and by the command."""

import io
from pathlib import Path

from django.core.management import call_command

from datasets import dl_info
from datasets.models import Collection, Lesion, Patient, Series, Slice, Study
from tests.datasets.tables import write

TABLES = (Collection, Patient, Study, Series, Slice, Lesion)


def table_of(folder: Path, *rows: dl_info.Row | dict[str, str], name: str = "DL_info.csv") -> Path:
    """Write a table into a folder."""
    return write(folder / name, rows)


def run_import(*arguments: object, **options: object) -> tuple[str, str]:
    """Import by the command; give what was printed and what was complained of."""
    out, err = io.StringIO(), io.StringIO()
    call_command("import_deeplesion", *map(str, arguments), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def counts() -> list[int]:
    """The rows of every table, from the collections down to the lesions."""
    return [each.objects.count() for each in TABLES]
