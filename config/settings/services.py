"""The services that this process serves (``SERVICES``)."""

from django.core.exceptions import ImproperlyConfigured

from config.settings.environment import env

KNOWN_SERVICES = ["stats", "dataprovider", "dashboard", "repairjobs"]

_names = {name.strip() for name in env.str("SERVICES", default="all").split(",")}
if _unknown := _names - {"all", *KNOWN_SERVICES}:
    raise ImproperlyConfigured(
        f"SERVICES must be all, or a comma-separated list of {', '.join(KNOWN_SERVICES)}, "
        f"not {', '.join(sorted(_unknown)) or 'empty'}."
    )

SERVES_ALL = "all" in _names
SERVICES = [name for name in KNOWN_SERVICES if SERVES_ALL or name in _names]
