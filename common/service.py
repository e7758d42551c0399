"""The base class of a service's app config. A service registers itself in its ``apps.py``."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from wsgiref.types import WSGIApplication

from django.apps import AppConfig, apps

from common.widgets import CanView, Widget

if TYPE_CHECKING:
    from common.scheduled import ScheduledJob

Freshness = Mapping[str, datetime | int | None]


class AdminPage(NamedTuple):
    """A list in the admin that the navigation links to."""

    model: str  # lower case
    icon: str  # a name from Material Symbols, which unfold includes

    def with_app(self, label: str) -> "AdminPage":
        return self._replace(model=f"{label}.{self.model}")


class ServiceConfig(AppConfig):
    """The app config of one of the services.

    Its URLs are in ``<app>.api.urls`` and its scheduled jobs in ``<app>.scheduled``.
    """

    default = False
    summary: ClassVar[str]
    # Pages that the index links to: (title, path).
    links: ClassVar[list[tuple[str, str]]]
    # Examples for a terminal: (description, arguments of curl). {url} is this process's URL.
    commands: ClassVar[list[tuple[str, str]]] = []
    # Lists for the admin's navigation, the most important first.
    admin_pages: ClassVar[list[AdminPage]] = []
    # OpenAPI: an example for each required parameter, by the parameter's name.
    parameter_examples: ClassVar[Mapping[str, Any]] = {}
    # Users without this permission see only masked names and phone numbers.
    personal_data_permission: ClassVar[str | None] = None

    def scheduled_jobs(self) -> "list[ScheduledJob]":
        """Return the app's table of scheduled jobs."""
        module = f"{self.name}.scheduled"
        if find_spec(module) is None:
            return []
        jobs: list[ScheduledJob] = import_module(module).SCHEDULED_JOBS
        return jobs

    def freshness(self) -> Freshness:
        """Return how recent the data is: an instant or a count for each title."""
        raise NotImplementedError

    def health_checks(self) -> Mapping[str, bool]:
        """Return for each database outside ``DATABASES``, by name, whether it is available."""
        return {}

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        """Return Prometheus gauges by name: (documentation, value)."""
        return {}

    def admin_widgets(self, *, can_view: CanView, at: datetime) -> Iterable[Widget]:
        """Return the widgets of the admin's dashboard, for the models that the user can view."""
        return []

    def wrap_wsgi(self, application: WSGIApplication) -> WSGIApplication:
        """Return the WSGI application with the service's fast path in front, if it has one."""
        return application


def served_services() -> Iterator[ServiceConfig]:
    """Yield the services of this process (``SERVICES``)."""
    return (app for app in apps.get_app_configs() if isinstance(app, ServiceConfig))


def personal_data_permissions() -> frozenset[str]:
    """Return the permissions that users need to see personal data unmasked."""
    permissions = (service.personal_data_permission for service in served_services())
    return frozenset(permission for permission in permissions if permission)


def format_freshness(service: ServiceConfig) -> dict[str, str]:
    """Return the service's freshness as text for people."""
    return {title: _format_value(value) for title, value in service.freshness().items()}


def _format_value(value: datetime | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else f"{value:,}"
