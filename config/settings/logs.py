"""Logging."""

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # 4xx responses are errors of the client, not of the service.
        "django.request": {"level": "ERROR"},
        "django.security": {"level": "CRITICAL"},
        # Each scheduled job logs its own line.
        "celery": {"level": "WARNING"},
    },
}
