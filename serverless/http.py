"""HTTP's door on AWS Lambda: events of API Gateway and of function URLs, answered by Django."""

import string
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from apig_wsgi import make_lambda_handler
from django.urls import get_resolver

from config.wsgi import Application, Environ, application

# Sent as text; anything else is Base64 on its way through the gateway.
TEXTS = ("text/", "application/json", "application/x-ndjson", "application/vnd.oai.openapi")


def answerer() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Make what answers an event, with every view imported before the first one comes."""
    get_resolver().url_patterns  # noqa: B018
    answer = make_lambda_handler(
        as_seen_outside(application), binary_support=True, non_binary_content_type_prefixes=TEXTS
    )
    return lambda event, context: answer(spelled_out(event), context)


def spelled_out(event: dict[str, Any]) -> dict[str, Any]:
    """The event with its path and query in ASCII: HTTP APIs give the path decoded."""
    found = {name: event.get(name) for name in ("path", "rawPath", "rawQueryString")}
    return event | {name: _spelled(text) for name, text in found.items() if text}


def as_seen_outside(application: Application) -> Application:
    """Tell the application whence a request came and where it went, as its caller sees it."""

    def told(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        about = environ.get("apig_wsgi.request_context", {})
        if "identity" in about:
            # Payload 1.0, where X-Forwarded-For begins with what the caller made up, and a REST
            # API's own address has the stage before the path.
            environ["REMOTE_ADDR"] = about["identity"]["sourceIp"]
            if _spelled(about["path"]) != environ["apig_wsgi.full_event"]["path"]:
                environ["SCRIPT_NAME"] = f"/{about['stage']}"
        if cookie := environ.get("HTTP_COOKIE"):
            environ["HTTP_COOKIE"] = cookie.encode(errors="replace").decode("latin1")
        return application(environ, start_response)

    return told


def _spelled(text: str) -> str:
    return quote(text, safe=string.punctuation, errors="replace")
