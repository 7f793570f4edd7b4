"""Harvests by the command, as a person starts them."""

from io import StringIO
from typing import Any

from django.core.management import call_command


def harvest(address: str, **options: Any) -> tuple[int, str, str]:
    """Harvest; return exit status, what was printed, what was complained of."""
    out, err = StringIO(), StringIO()
    try:
        call_command("harvest", address, stdout=out, stderr=err, **options)
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    return status, out.getvalue(), err.getvalue()
