"""The shell's own pages: what runs here, whether it is well, and how to use it."""

import sys
from collections.abc import Callable, Mapping
from functools import partial, wraps
from http import HTTPStatus
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import Error as DatabaseAway
from django.db import connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import include, path
from django.utils.cache import patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from kombu.exceptions import KombuError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from rest_framework.exceptions import APIException, NotAuthenticated

from common.api.authentication import ApiKeyAuthentication, is_staff
from common.api.errors import RETRY_AFTER_SECONDS, UNAVAILABLE_DETAIL
from common.api.login_page import login_page_response, needs_login_page
from common.api.negotiation import wants_page
from common.api_keys.cache import KEYWORD
from common.db.errors import is_unavailable
from common.service import ServiceConfig, format_freshness, served_services

View = Callable[..., HttpResponse]
READING = ["GET", "HEAD"]
MAX_COMMANDS = 3


def read_only(view: View) -> View:
    """A page to read; other methods are refused as the API refuses them."""

    @csrf_exempt
    @wraps(view)
    def reading(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in READING:
            return view(request, *args, **kwargs)
        detail = f'Method "{request.method}" not allowed.'
        headers = {"Allow": ", ".join(READING)}
        return JsonResponse({"detail": detail}, status=405, headers=headers)

    return reading


def require_caller(view: View) -> View:
    """A page for whoever has a key, to whichever service, or signed in to the admin."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.API_KEYS_REQUIRED or is_staff(request):
            return view(request, *args, **kwargs)
        try:
            if ApiKeyAuthentication().authenticate(request):
                return view(request, *args, **kwargs)
            refusal: APIException = NotAuthenticated()
        except APIException as error:
            refusal = error
        if needs_login_page(request, refusal):
            return login_page_response(request)
        return _refused(refusal)

    return guarded


def _refused(refusal: APIException) -> HttpResponse:
    headers = {"WWW-Authenticate": KEYWORD} if refusal.status_code == 401 else {}
    if wait := getattr(refusal, "wait", None):
        headers["Retry-After"] = str(wait)
    return JsonResponse({"detail": refusal.detail}, status=refusal.status_code, headers=headers)


@vary_on_headers("Accept")
@require_caller
@read_only
def index(request: HttpRequest) -> HttpResponse:
    """What runs here, how fresh it is, and where to go on."""
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
    """What to try in a terminal, each a line that works where this page came from."""
    url = request.build_absolute_uri("/").rstrip("/")
    key = ' -H "Authorization: Api-Key $API_KEY"' if settings.API_KEYS_REQUIRED else ""
    curl = f"curl -s{key}"
    found = [
        (what, f"{curl} {arguments.replace('{url}', url)}")
        for service in served_services()
        for what, arguments in service.commands
    ]
    return found[:MAX_COMMANDS]


def _freshness(service: ServiceConfig, *, is_page: bool) -> Mapping[str, Any]:
    try:
        return format_freshness(service) if is_page else service.freshness()
    except DatabaseAway:
        return {"Store": "away"}


@read_only
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


@read_only
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether each store and the broker can be reached, by name; 503 if one is away."""
    checks = {alias: _is_there(partial(_ask, alias)) for alias in settings.DATABASES}
    for service in served_services():
        checks |= service.health_checks()
    checks["broker"] = _is_there(_greet_broker)
    if all(checks.values()):
        return JsonResponse({"status": "ok", "checks": dict.fromkeys(checks, "ok")})
    words = {name: "ok" if is_there else "away" for name, is_there in checks.items()}
    return JsonResponse(
        {"status": "away", "checks": words},
        status=503,
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def _is_there(check: Callable[[], None]) -> bool:
    try:
        check()
    except (DatabaseAway, KombuError, OSError):
        return False
    return True


def _ask(alias: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")


def _greet_broker() -> None:
    # Here, as no other page needs Celery: without it a process answers a fifth of a second sooner.
    from config.celery import app

    with app.connection_for_write(connect_timeout=2) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)


@read_only
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format: requests of this process, and what the services watch."""
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def schema(service: str | None = None) -> View:
    """The OpenAPI document of one service, or of all that run here."""
    names = [service] if service else settings.SERVICES
    patterns = [path("", include(f"{name}.api.urls")) for name in names]
    titles = {"TITLE": apps.get_app_config(service).verbose_name} if service else {}
    return read_only(SpectacularAPIView.as_view(patterns=patterns, custom_settings=titles))


def docs(service: str | None = None) -> View:
    """Swagger for the OpenAPI document of one service, or of all that run here.

    Its script comes by an address of its own, so that none has to stand in the page.
    """
    if service is None:
        return read_only(SpectacularSwaggerSplitView.as_view(url_name="schema"))
    title = apps.get_app_config(service).verbose_name
    return read_only(SpectacularSwaggerSplitView.as_view(url_name=f"schema-{service}", title=title))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    detail = "The request is malformed."
    if isinstance(exception, DisallowedHost):
        detail = "This host name is not served here; ALLOWED_HOSTS says which are."
    return _answer_refused(request, 400, detail)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer_refused(request, 404, "There is nothing at this path; see /docs.")


def server_error(request: HttpRequest) -> HttpResponse:
    """What nobody expected; or a store that went away while a page was made."""
    error = sys.exception()
    if error is None or not is_unavailable(error):
        return _answer_refused(request, 500, "Something went wrong on our side.")
    answer = _answer_refused(request, 503, UNAVAILABLE_DETAIL)
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _answer_refused(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """JSON, or a page with a way home; it asks nothing of a store."""
    if not wants_page(request):
        answer: HttpResponse = JsonResponse({"detail": detail}, status=status)
    else:
        context = {"title": HTTPStatus(status).phrase, "detail": detail}
        answer = HttpResponse(render_to_string("common/error.html", context), status=status)
    patch_vary_headers(answer, ["Accept"])
    return answer
