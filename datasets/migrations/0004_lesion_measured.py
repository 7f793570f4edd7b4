"""Lengths in micrometres follow from those in millimetres; what a published lesion was measured as stays."""

from django.db import migrations, models
from django.db.models import F, Q

from datasets import frozen


def _follows(axis: str) -> migrations.AddConstraint:
    in_um = F(f"{axis}_mm") * 1000.0
    rounded = Q(**{f"{axis}_um__gte": in_um - 0.5, f"{axis}_um__lte": in_um + 0.5})
    return migrations.AddConstraint(
        model_name="lesion",
        constraint=models.CheckConstraint(
            condition=rounded | Q(**{f"{axis}_um": 1, f"{axis}_mm__lt": 0.0005}),
            name=f"lesion_{axis}_um_is_{axis}_mm",
        ),
    )


def _drop(apps, schema_editor):
    # A new database has the triggers already, and SQLite builds no table anew that others look into.
    frozen.drop(schema_editor.connection)


def _create(apps, schema_editor):
    frozen.create(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("datasets", "0003_harvested_study_content")]
    operations = [
        migrations.RunPython(_drop, migrations.RunPython.noop),
        _follows("long"),
        _follows("short"),
        migrations.RunPython(_create, migrations.RunPython.noop),
    ]
