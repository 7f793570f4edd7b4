"""What is signed or logged becomes unchangeable."""

from django.db import migrations

from deeplesion_site.accounts import append_only


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.RunPython(
            lambda apps, schema_editor: append_only.create(schema_editor.connection),
            lambda apps, schema_editor: append_only.drop(schema_editor.connection),
        )
    ]
