from django.db import migrations, models


def compare_exactly(apps, schema_editor):
    """Statuses of any spelling come from the client: told apart to the letter, as in MongoDB."""
    if schema_editor.connection.vendor == "mysql":
        table = apps.get_model("repairjobs", "jobdocument")._meta.db_table
        schema_editor.execute(
            f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        )


class Migration(migrations.Migration):

    dependencies = [
        ('repairjobs', '0001_initial'),
    ]

    operations = [
        migrations.RunPython(compare_exactly, migrations.RunPython.noop, atomic=False),
        migrations.AddIndex(
            model_name='jobdocument',
            index=models.Index(fields=['status', 'has_attention', 'job_id'], name='document_by_both'),
        ),
    ]
