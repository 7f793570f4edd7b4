from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('datasets', '0007_released_images_frozen'),
    ]

    operations = [
        migrations.CreateModel(
            name='IdentityKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('check_value', models.CharField(help_text='keyed hash of a constant', max_length=64)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='identity_key_once')],
            },
        ),
    ]
