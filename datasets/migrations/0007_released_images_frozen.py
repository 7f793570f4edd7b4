"""Images that a published release holds stay, and so do the numbers that name them and the type of its lesions."""

from django.db import migrations

from datasets import frozen


def _create(apps, schema_editor):
    frozen.drop(schema_editor.connection)
    frozen.create(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("datasets", "0006_lesion_location_unknown")]
    operations = [migrations.RunPython(_create, migrations.RunPython.noop)]
