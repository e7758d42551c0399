from typing import Any

from django.db import models


class ClientRouter:
    """The client's tables in the database ``client``, where nothing is ever migrated."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        return self._home(model)

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        return self._home(model)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == "client" else None

    def _home(self, model: type[models.Model]) -> str | None:
        is_clients = model._meta.app_label == "repairjobs" and not model._meta.managed
        return "client" if is_clients else None
