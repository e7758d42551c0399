"""Settings that would lose or double something, refused before a process begins."""

import re
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.exceptions import ImproperlyConfigured

# Of the checks that every process runs when it starts; `manage.py check` runs them, too.
SETTINGS = "settings"
# Of kombu's transports that give a message out again: seconds, unless set otherwise.
VISIBILITY_SECONDS = {"redis": 3600, "rediss": 3600, "sentinel": 3600, "sqs": 1800}


def reject_unsafe_settings() -> None:
    """
    :raises ImproperlyConfigured: with every reason, unless SILENCED_CHECKS overrules it.
    """
    found = [each for each in run_checks(tags=[SETTINGS]) if each.is_serious()]
    if refused := [each for each in found if not each.is_silenced()]:
        raise ImproperlyConfigured("\n".join(str(each) for each in refused))


@register(SETTINGS)
def check_broker(**kwargs: Any) -> list[CheckMessage]:
    """A broker must not give a task out again while it is at work."""
    transport = settings.CELERY_BROKER_URL.partition(":")[0].partition("+")[0]
    if transport not in VISIBILITY_SECONDS:
        return []
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    visibility = options.get("visibility_timeout", VISIBILITY_SECONDS[transport])
    longest = settings.CELERY_TASK_TIME_LIMIT
    if visibility > longest:
        return []
    return [
        Error(
            f"The broker gives a task out again after {visibility} seconds, "
            f"while it may be at work for {longest}.",
            hint="Raise visibility_timeout in CELERY_BROKER_TRANSPORT_OPTIONS.",
            id="common.E001",
        )
    ]


@register(SETTINGS)
def check_mysql(**kwargs: Any) -> list[CheckMessage]:
    """Every connection to MySQL must refuse what it cannot store, and lock only what it reads."""
    found: list[CheckMessage] = []
    for alias, database in settings.DATABASES.items():
        if not database["ENGINE"].endswith("mysql"):
            continue
        options = database.get("OPTIONS", {})
        hint = f"Take the option out of {settings.DATABASE_URL_VARIABLES[alias]}; ours are right."
        if not re.search(r"sql_mode\s*=.*(TRADITIONAL|STRICT_)", options.get("init_command", "")):
            says = f"MySQL at {alias!r} is not strict: it would cut what does not fit."
            found.append(Error(says, hint=hint, id="common.E002"))
        if str(options.get("isolation_level")).lower() != "read committed":
            says = f"MySQL at {alias!r} is not READ COMMITTED: claims would wait for each other."
            found.append(Error(says, hint=hint, id="common.E003"))
    return found
