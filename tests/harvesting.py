"""Harvests by the command, as a person starts them, and their reports as a person reads them."""

import csv
from io import StringIO
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client

from workers.models import Job


def harvest(address: str, **options: Any) -> tuple[int, str, str]:
    """Harvest; return exit status, what was printed, what was complained of."""
    out, err = StringIO(), StringIO()
    try:
        call_command("harvest", address, stdout=out, stderr=err, **options)
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    return status, out.getvalue(), err.getvalue()


def reported(part: str = "errors") -> dict[str, int]:
    """What the report of the newest harvest counts by name; its page, JSON and CSV say the same."""
    admin, _ = User.objects.get_or_create(username="reader-of-reports")
    admin.groups.add(Group.objects.get(name="admin"))
    client = Client()
    client.force_login(admin)
    address = f"/jobs/{Job.objects.order_by('-pk')[0].pk}/report"
    found = {name: each["count"] for name, each in client.get(f"{address}.json").json()[part].items()}
    rows = list(csv.DictReader(StringIO(client.get(f"{address}.csv").content.decode())))
    assert {row["key"]: int(row["count"]) for row in rows if row["table"] == part} == found
    page = client.get(f"{address}/").content.decode()
    assert all(f"<code>{name}</code>" in page for name in found)
    return found
