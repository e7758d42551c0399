"""The admin's overview page and navigation, built from what the services register."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst

from common.service import AdminPage, ServiceConfig, format_freshness, served_services
from common.widgets import Chart, StatTile

admin.site.index_template = "common/admin/index.html"
admin.site.index_title = "Overview"

ACCESS_PAGES = [
    AdminPage("api_keys.apikey", "key"),
    AdminPage("auth.user", "person"),
    AdminPage("auth.group", "group"),
    AdminPage("admin.logentry", "history"),
]


def icon(request: HttpRequest) -> str:
    return static("common/icon.svg")


def stylesheet(request: HttpRequest) -> str:
    return static("common/admin.css")


def dashboard_callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the page's context, with a section for each service that the user may view."""
    sections = [
        _section(service, request)
        for service in served_services()
        if request.user.has_module_perms(service.label)
    ]
    alarms = [
        (section["name"], tile)
        for section in sections
        for tile in section.get("tiles", [])
        if tile.is_alarm
    ]
    return context | {"sections": sections, "alarms": alarms}


def _section(service: ServiceConfig, request: HttpRequest) -> dict[str, Any]:
    section: dict[str, Any] = {"name": service.verbose_name, "summary": service.summary}
    can_view = partial(_can_view, request, service.label)
    try:
        section["freshness"] = format_freshness(service)
        widgets = list(service.admin_widgets(can_view=can_view, at=timezone.now()))
    except (OperationalError, InterfaceError):
        return section | {"is_unavailable": True}
    return section | {
        "tiles": [widget for widget in widgets if isinstance(widget, StatTile)],
        "charts": [widget for widget in widgets if isinstance(widget, Chart)],
    }


def _can_view(request: HttpRequest, app: str, model: str) -> bool:
    return bool(request.user.has_perm(f"{app}.view_{model}"))


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return links to the lists that the user may view, grouped by service."""
    home = {"title": "Overview", "icon": "home", "link": reverse("admin:index")}
    groups = [{"title": "", "items": [home]}]
    for service in served_services():
        pages = [page.with_app(service.label) for page in service.admin_pages]
        groups.append(_group(str(service.verbose_name), pages, request))
    groups.append(_group("Access", ACCESS_PAGES, request))
    return [group for group in groups if group["items"]]


def _group(title: str, pages: list[AdminPage], request: HttpRequest) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": list(_items(pages, request))}


def _items(pages: list[AdminPage], request: HttpRequest) -> Iterator[dict[str, str]]:
    for page in pages:
        app, model = page.model.split(".")
        if _can_view(request, app, model):
            link = reverse(f"admin:{app}_{model}_changelist")
            title = capfirst(apps.get_model(page.model)._meta.verbose_name_plural)
            yield {"title": title, "icon": page.icon, "link": link}
