"""System checks for settings that could lose data or do work twice."""

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.exceptions import ImproperlyConfigured

# The tag of the checks that every process runs at its start. `manage.py check` runs them too.
SETTINGS = "settings"
# Kombu transports that redeliver unacknowledged messages, with their default timeout in seconds.
DEFAULT_VISIBILITY_TIMEOUTS = {"redis": 3600, "rediss": 3600, "sentinel": 3600, "sqs": 1800}


def reject_unsafe_settings() -> None:
    """Run the checks of the settings.

    :raises ImproperlyConfigured: with all errors that SILENCED_CHECKS does not silence.
    """
    messages = [
        message
        for message in run_checks(tags=[SETTINGS])
        if message.is_serious() and not message.is_silenced()
    ]
    if messages:
        raise ImproperlyConfigured("\n".join(str(message) for message in messages))


@register(SETTINGS)
def check_broker(**kwargs: Any) -> list[CheckMessage]:
    """Check that the broker does not redeliver a task while it is running."""
    transport = settings.CELERY_BROKER_URL.partition(":")[0].partition("+")[0]
    if transport not in DEFAULT_VISIBILITY_TIMEOUTS:
        return []
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    timeout = options.get("visibility_timeout", DEFAULT_VISIBILITY_TIMEOUTS[transport])
    time_limit = settings.CELERY_TASK_TIME_LIMIT
    if timeout > time_limit:
        return []
    return [
        Error(
            f"visibility_timeout ({timeout} seconds) is shorter than the task time limit "
            f"({time_limit} seconds). Running tasks would be redelivered.",
            hint="Raise visibility_timeout in CELERY_BROKER_TRANSPORT_OPTIONS.",
            id="common.E001",
        )
    ]


@register(SETTINGS)
def check_mysql(**kwargs: Any) -> list[CheckMessage]:
    """Check that MySQL connections use strict mode and READ COMMITTED."""
    errors: list[CheckMessage] = []
    for alias, database in settings.DATABASES.items():
        if not database["ENGINE"].endswith("mysql"):
            continue
        options = database.get("OPTIONS", {})
        hint = f"Remove the option from {settings.DATABASE_URL_VARIABLES[alias]}."
        if not re.search(r"sql_mode\s*=.*(TRADITIONAL|STRICT_)", options.get("init_command", "")):
            text = (
                f"MySQL connection {alias!r} is not in strict mode: long values would be truncated."
            )
            errors.append(Error(text, hint=hint, id="common.E002"))
        if str(options.get("isolation_level")).lower() != "read committed":
            text = f"MySQL connection {alias!r} is not READ COMMITTED: claims would block inserts."
            errors.append(Error(text, hint=hint, id="common.E003"))
    return errors
