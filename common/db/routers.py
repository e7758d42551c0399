from typing import Any

from django.conf import settings
from django.db import models


def database_for(app_label: str) -> str:
    """Return the alias of the database with an app's tables."""
    return app_label if app_label in settings.DATABASES else "default"


class ServiceRouter:
    """An app's tables are in the database of the same alias, or else in ``default``."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return database_for(model._meta.app_label)

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return database_for(model._meta.app_label)

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool:
        return database_for(one._meta.app_label) == database_for(other._meta.app_label)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return database_for(app_label) == db
