"""``/healthz``, ``/readyz`` and ``/metrics``, for monitoring."""

from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from kombu.exceptions import KombuError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from common.api.errors import RETRY_AFTER_SECONDS
from common.service import served_services
from common.views.access import read_only


@read_only
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer without using a database: this process is alive."""
    return JsonResponse({"status": "ok"})


@read_only
def readyz(request: HttpRequest) -> HttpResponse:
    """Check each database and the broker, by name. Answer 503 if one of them is unavailable."""
    checks = {alias: _succeeds(partial(_query, alias)) for alias in settings.DATABASES}
    for service in served_services():
        checks |= service.health_checks()
    checks["broker"] = _succeeds(_connect_to_broker)
    states = {name: _state(is_ok) for name, is_ok in checks.items()}
    is_ready = all(checks.values())
    return JsonResponse(
        {"status": _state(is_ready), "checks": states},
        status=200 if is_ready else 503,
        headers={} if is_ready else {"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


@read_only
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics of this process in Prometheus' text format."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def _state(is_ok: bool) -> str:
    return "ok" if is_ok else "unavailable"


def _succeeds(check: Callable[[], None]) -> bool:
    try:
        check()
    except (DatabaseError, KombuError, OSError):
        return False
    return True


def _query(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")


def _connect_to_broker() -> None:
    # Imported here, because it takes a tenth of a second and no other request needs it.
    from kombu import Connection

    with Connection(
        settings.CELERY_BROKER_URL,
        connect_timeout=2,
        transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS,
    ) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
