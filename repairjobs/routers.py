from typing import Any

from django.db import models


class ClientRouter:
    """Routes the client's table to the database ``client``, and forbids migrations there."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return self._database_for(model)

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        return self._database_for(model)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == "client" else None

    def _database_for(self, model: type[models.Model]) -> str | None:
        is_clients = model._meta.app_label == "repairjobs" and not model._meta.managed
        return "client" if is_clients else None
