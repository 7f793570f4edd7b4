"""The database holds the transitions of a job's state and its log."""

from django.db import migrations

from workers import rules


class Migration(migrations.Migration):
    dependencies = [("workers", "0001_initial")]
    operations = [
        migrations.RunPython(
            lambda apps, schema_editor: rules.create(schema_editor.connection, rules.JOBS),
            lambda apps, schema_editor: rules.drop(schema_editor.connection, rules.JOBS),
        )
    ]
