"""When a collection was last located; what is remembered of places ends then."""

from django.db import migrations, models
from django.utils import timezone


def _now(apps, schema_editor):
    located = apps.get_model("datasets", "Collection").objects.exclude(location_model=None)
    located.update(located=timezone.now())


class Migration(migrations.Migration):
    dependencies = [("datasets", "0004_lesion_measured")]
    operations = [
        migrations.AddField(
            model_name="collection",
            name="located",
            field=models.DateTimeField(blank=True, help_text="when a model had last looked at all of it", null=True),
        ),
        migrations.RunPython(_now, migrations.RunPython.noop),
    ]
