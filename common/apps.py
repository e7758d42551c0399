from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import ClassVar, NamedTuple
from wsgiref.types import WSGIApplication

from django.apps import AppConfig
from django.apps.registry import Apps

from common.widgets import CanView, Widget


class CommonConfig(AppConfig):
    name = "common"

    def ready(self) -> None:
        from common import checks  # noqa: F401 (registers itself)


class AdminPage(NamedTuple):
    """A list in the admin that its navigation leads to."""

    model: str  # in small letters
    icon: str  # a name of Material Symbols, which the admin carries

    def of(self, app: str) -> "AdminPage":
        return self._replace(model=f"{app}.{self.model}")


Freshness = Mapping[str, datetime | int | None]


class ServiceConfig(AppConfig):
    """What a service tells the shell about itself, for ``/``, ``/docs``, metrics and admin."""

    default = False
    summary: ClassVar[str]
    # What a person may try: (what it is, path).
    links: ClassVar[list[tuple[str, str]]]
    # What to try in a terminal: (what it does, curl's arguments). {url} is where this runs.
    commands: ClassVar[list[tuple[str, str]]] = []
    # What a person may look at in the admin, what matters most first.
    admin_pages: ClassVar[list[AdminPage]] = []

    def freshness(self) -> Freshness:
        """How fresh the service's content is: instants by what happened then, and counts."""
        raise NotImplementedError

    def stores(self) -> Mapping[str, bool]:
        """Stores besides the databases, by name, and whether each can be reached."""
        return {}

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        """Numbers to watch: Prometheus name to (what it is, value)."""
        return {}

    def admin_widgets(self, *, can_view: CanView, at: datetime) -> Iterable[Widget]:
        """What matters now, of the models that may be seen, in a few quick queries."""
        return []

    def wrap_wsgi(self, application: WSGIApplication) -> WSGIApplication:
        """The application behind the service's own door, if it has one before Django's."""
        return application


def served_services(apps: Apps) -> Iterator[ServiceConfig]:
    """The services of this process."""
    return (each for each in apps.get_app_configs() if isinstance(each, ServiceConfig))


def format_freshness(service: ServiceConfig) -> dict[str, str]:
    """How fresh a service's content is, for people to read."""
    return {what: _spoken(value) for what, value in service.freshness().items()}


def _spoken(value: datetime | int | None) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else f"{value:,}"
