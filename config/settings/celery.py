"""Celery. The beat schedule comes from each app's ``scheduled.py``."""

from config.settings.databases import BROKER_URL
from config.settings.environment import DATA_DIR
from config.settings.services import KNOWN_SERVICES
from local.embedded import broker_options

CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_TRANSPORT_OPTIONS = (
    broker_options(DATA_DIR / "broker") if BROKER_URL.startswith("filesystem:") else {}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Retry forever: a worker that gives up would have to be restarted by hand.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_ROUTES = {f"{name}.*": {"queue": name} for name in KNOWN_SERVICES}
CELERY_TASK_TIME_LIMIT = 15 * 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"
# Beat rewrites this file every three minutes; the container's health check looks at its age.
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat")
