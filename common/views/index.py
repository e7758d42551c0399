"""``/``: the services of this process."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.vary import vary_on_headers

from common.api.negotiation import wants_page
from common.service import ServiceConfig, format_freshness, served_services
from common.views.access import read_only, require_caller

MAX_COMMANDS = 3


@vary_on_headers("Accept")
@require_caller
@read_only
def index(request: HttpRequest) -> HttpResponse:
    """List the services of this process with their freshness and their links."""
    is_page = wants_page(request)
    services = [
        {
            "name": str(service.verbose_name),
            "summary": service.summary,
            "links": [{"title": title, "path": link} for title, link in service.links],
            "freshness": _freshness(service, is_page=is_page),
        }
        for service in served_services()
    ]
    if is_page:
        context = {
            "services": services,
            "has_admin": settings.SERVES_ALL,
            "demo": settings.DEMO,
            "commands": _commands(request),
        }
        return render(request, "common/index.html", context)
    return JsonResponse({"services": services, "docs": "/docs", "health": "/readyz"})


def _commands(request: HttpRequest) -> list[tuple[str, str]]:
    """Return examples for a terminal: (description, command line)."""
    url = request.build_absolute_uri("/").rstrip("/")
    key = ' -H "Authorization: Api-Key $API_KEY"' if settings.API_KEYS_REQUIRED else ""
    curl = f"curl -s{key}"
    commands = [
        (title, f"{curl} {arguments.replace('{url}', url)}")
        for service in served_services()
        for title, arguments in service.commands
    ]
    return commands[:MAX_COMMANDS]


def _freshness(service: ServiceConfig, *, is_page: bool) -> Mapping[str, Any]:
    try:
        return format_freshness(service) if is_page else service.freshness()
    except DatabaseError:
        return {"Database": "unavailable"}
