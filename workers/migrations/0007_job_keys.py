"""Keys get a table of their own: a job may be the answer to several."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def take_over(apps, schema_editor):
    JobKey = apps.get_model("workers", "JobKey")
    keyed = apps.get_model("workers", "Job").objects.filter(key__isnull=False).order_by("pk")
    JobKey.objects.bulk_create(
        (JobKey(owner_id=owner, key=key, job_id=job) for job, owner, key in keyed.values_list("pk", "owner", "key")),
        batch_size=1000,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("workers", "0006_worker_devices"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="JobKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=128)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="keys", to="workers.job"
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("owner", "key"), name="job_key_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("owner__isnull", True)), fields=("key",), name="job_systems_key_once"
                    ),
                ],
            },
        ),
        migrations.RunPython(take_over, migrations.RunPython.noop),
    ]
