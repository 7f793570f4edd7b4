"""Annotations and published releases become unchangeable."""

from django.db import migrations

from datasets import frozen


class Migration(migrations.Migration):
    dependencies = [("datasets", "0001_initial")]
    operations = [
        migrations.RunPython(
            lambda apps, schema_editor: frozen.create(schema_editor.connection),
            lambda apps, schema_editor: frozen.drop(schema_editor.connection),
        )
    ]
