from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections

from repairjobs.models import ClientJob


class Command(BaseCommand):
    help = (
        "Create the client's table, if there is no real client: in the database "
        "CLIENT_DATABASE_URL, or in the embedded database. An existing table is not changed."
    )

    def handle(self, **options: Any) -> None:
        connection = connections["client"]
        table = ClientJob._meta.db_table
        if table in connection.introspection.table_names():
            self.stdout.write(
                f"The client's table already exists: {connection.settings_dict['NAME']}"
            )
            return
        with connection.schema_editor() as editor:
            editor.create_model(ClientJob)
        self.stdout.write(self.style.SUCCESS(f"Created the client's table in {connection.alias}"))
