from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections

from repairjobs.models import ClientJob


class Command(BaseCommand):
    help = (
        "Make the client's table in the database that stands in for the client's "
        "(CLIENT_DATABASE_URL, or the embedded one). A table that is there stays as it is."
    )

    def handle(self, **options: Any) -> None:
        connection = connections["client"]
        table = ClientJob._meta.db_table
        if table in connection.introspection.table_names():
            self.stdout.write(f"The client's table is there: {connection.settings_dict['NAME']}")
            return
        with connection.schema_editor() as editor:
            editor.create_model(ClientJob)
        self.stdout.write(self.style.SUCCESS(f"Made the client's table in {connection.alias}"))
