"""HTTP on AWS Lambda: Django answers events of API Gateway and of function URLs."""

import string
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from apig_wsgi import make_lambda_handler
from django.urls import get_resolver

from config.wsgi import Application, Environ, application

# Media types that are sent as text. All others pass the gateway as Base64.
TEXT_TYPES = ("text/", "application/json", "application/x-ndjson", "application/vnd.oai.openapi")


def create_handler() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return the Lambda handler. Import all views now, not during the first request."""
    get_resolver().url_patterns  # noqa: B018
    handle = make_lambda_handler(
        with_caller_data(application),
        binary_support=True,
        non_binary_content_type_prefixes=TEXT_TYPES,
    )
    return lambda event, context: handle(quote_urls(event), context)


def quote_urls(event: dict[str, Any]) -> dict[str, Any]:
    """Percent-encode path and query of the event, because HTTP APIs decode the path."""
    urls = {name: event.get(name) for name in ("path", "rawPath", "rawQueryString")}
    return event | {name: _quote(url) for name, url in urls.items() if url}


def with_caller_data(application: Application) -> Application:
    """Set the caller's address and the URL prefix of the stage from the gateway's event."""

    def wrapper(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        context = environ.get("apig_wsgi.request_context", {})
        if "identity" in context:
            # Payload 1.0. X-Forwarded-For may start with a forged address. The URL of a REST API
            # has its stage before the path.
            environ["REMOTE_ADDR"] = context["identity"]["sourceIp"]
            if _quote(context["path"]) != environ["apig_wsgi.full_event"]["path"]:
                environ["SCRIPT_NAME"] = f"/{context['stage']}"
        if cookie := environ.get("HTTP_COOKIE"):
            environ["HTTP_COOKIE"] = cookie.encode(errors="replace").decode("latin1")
        return application(environ, start_response)

    return wrapper


def _quote(text: str) -> str:
    return quote(text, safe=string.punctuation, errors="replace")
