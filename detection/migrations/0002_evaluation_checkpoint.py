"""An evaluation says which checkpoint it is of; those that are there are of the last one."""

from django.db import migrations, models

CHOICES = [("best", "best in the validation split"), ("last", "last")]
HELP = "the last where nothing was validated"


class Migration(migrations.Migration):
    dependencies = [("detection", "0001_initial")]

    operations = [
        migrations.RemoveConstraint("evaluation", "evaluation_once"),
        migrations.AddField(
            "evaluation", "checkpoint", models.CharField(choices=CHOICES, default="last", help_text=HELP, max_length=4)
        ),
        migrations.AlterField(
            "evaluation", "checkpoint", models.CharField(choices=CHOICES, default="best", help_text=HELP, max_length=4)
        ),
        migrations.AddConstraint(
            "evaluation",
            models.UniqueConstraint(
                fields=("run", "checkpoint", "split", "convention", "iou"), name="evaluation_once"
            ),
        ),
        migrations.AddConstraint(
            "evaluation",
            models.CheckConstraint(
                condition=models.Q(("checkpoint__in", ("best", "last"))), name="evaluation_checkpoint_known"
            ),
        ),
    ]
