"""The database lets nobody change or forget which job an idempotency key was answered with."""

from django.db import migrations

from workers import rules


class Migration(migrations.Migration):
    dependencies = [("workers", "0008_job_without_key")]
    operations = [
        migrations.RunPython(
            lambda apps, schema_editor: rules.create(schema_editor.connection, rules.KEYS),
            lambda apps, schema_editor: rules.drop(schema_editor.connection, rules.KEYS),
        )
    ]
