import os
from typing import Any

import django
from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

TRANSPORT_ALIASES["filesystem"] = "local.broker:Transport"

app = Celery("config")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**kwargs: Any) -> None:
    """Keep Django's logging: Celery does not configure its own if this signal has a receiver."""


@worker_init.connect
@beat_init.connect
def require_safe_settings(**kwargs: Any) -> None:
    """Stop the start of a worker or of beat if the settings are unsafe."""
    django.setup()
    from common.checks import reject_unsafe_settings

    try:
        reject_unsafe_settings()
    except ImproperlyConfigured as error:
        # Celery logs other exceptions of signal receivers and continues.
        raise SystemExit(str(error)) from error


@app.on_after_finalize.connect
def add_scheduled_jobs(sender: Celery, **kwargs: Any) -> None:
    from common.celery_tasks import schedule_jobs

    if not apps.ready:
        django.setup()  # a second call would reset the logging
    schedule_jobs(sender)
