"""``/schema`` and ``/docs``: OpenAPI documents and Swagger UI, for all services or for one."""

from django.apps import apps
from django.conf import settings
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from common.views.access import View, read_only


def schema(service: str | None = None) -> View:
    """Return the view of the OpenAPI document of one service, or of all services."""
    names = [service] if service else settings.SERVICES
    patterns = [path("", include(f"{name}.api.urls")) for name in names]
    titles = {"TITLE": apps.get_app_config(service).verbose_name} if service else {}
    return read_only(SpectacularAPIView.as_view(patterns=patterns, custom_settings=titles))


def docs(service: str | None = None) -> View:
    """Return the Swagger UI view of one service, or of all services.

    The "split" view loads its script from a URL, so that the page needs no inline script.
    """
    if service is None:
        return read_only(SpectacularSwaggerSplitView.as_view(url_name="schema"))
    title = apps.get_app_config(service).verbose_name
    return read_only(SpectacularSwaggerSplitView.as_view(url_name=f"schema-{service}", title=title))
