"""Hot path: answer ``POST /messages`` from programs before Django's handlers and middleware.

``python -m benchmarks stats`` compares it with a plain Django view. It answers only plain requests
with a valid message. :class:`MessageViewSet` answers all other requests and writes all errors.
"""

import json
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from django.conf import settings
from django.db import DatabaseError
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from rest_framework.exceptions import APIException

from common.api.errors import exception_handler
from common.api.fast_path import is_allowed, is_secure
from common.api.json_format import parse_json
from common.metrics import REQUEST_SECONDS
from stats.api.responses import outcome_response
from stats.api.validation import parse_message
from stats.services.recording import record_message

# With any other Accept header, the view negotiates the format.
PLAIN_ACCEPT = {"", "*/*", "application/json"}
PATHS = {"/messages", "/messages/"}
HEADERS = [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def wrap_wsgi(application: WSGIApplication) -> WSGIApplication:
    """Return the application with the fast path in front of it."""

    def fast_path(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in PATHS and _is_plain(environ) and is_allowed(environ, "stats"):
            started = time.perf_counter()
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            if response := _respond(body):
                status, headers, content = response
                _observe(status)(time.perf_counter() - started)
                start_response(f"{status} {HTTPStatus(status).phrase}", headers)
                return [content]
            environ["wsgi.input"] = BytesIO(body)
        return application(environ, start_response)

    return fast_path


def _is_plain(environ: WSGIEnvironment) -> bool:
    """Return whether the request posts a small JSON body and needs no other feature of Django."""
    length = environ.get("CONTENT_LENGTH") or ""
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("CONTENT_TYPE") == "application/json"
        and environ.get("HTTP_ACCEPT", "") in PLAIN_ACCEPT
        and not environ.get("QUERY_STRING")
        and length.isdecimal()
        and int(length) <= settings.MAX_BODY_BYTES
        and _is_allowed_host(environ.get("HTTP_HOST", ""))
        and (not settings.SECURE_SSL_REDIRECT or is_secure(environ))
    )


@lru_cache(maxsize=64)
def _is_allowed_host(host: str) -> bool:
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


def _respond(body: bytes) -> tuple[int, list[tuple[str, str]], bytes] | None:
    """Record the message. Return status, headers and body, or None if the view must respond."""
    try:
        message = parse_message(parse_json(body), at=timezone.now())
        status, content = outcome_response(record_message(message))
        headers = HEADERS
    except APIException:
        return None
    except DatabaseError as error:
        unavailable: Any = exception_handler(error, {})
        if unavailable is None:
            return None
        status, content = unavailable.status_code, unavailable.data
        headers = [*HEADERS, *unavailable.items()]
    rendered = _to_json(content).encode()
    return status, [*headers, ("Content-Length", str(len(rendered)))], rendered


@lru_cache(maxsize=8)
def _observe(status: int) -> Callable[[float], None]:
    return REQUEST_SECONDS.labels("POST", "/messages", str(status)).observe
