"""The column of the one key goes; the triggers, which SQLite loses with the table it copies, are put in place again."""

from django.db import migrations

from workers import rules


class Migration(migrations.Migration):
    dependencies = [("workers", "0007_job_keys")]

    operations = [
        migrations.RunPython(lambda apps, editor: rules.drop(editor.connection, rules.JOBS), migrations.RunPython.noop),
        migrations.RemoveConstraint(model_name="job", name="job_key_unique"),
        migrations.RemoveConstraint(model_name="job", name="job_systems_key_unique"),
        migrations.RemoveField(model_name="job", name="key"),
        migrations.RunPython(lambda apps, editor: rules.create(editor.connection, rules.JOBS), migrations.RunPython.noop),
    ]
