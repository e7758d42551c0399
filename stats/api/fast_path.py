"""Hot path: ``POST /messages`` from programs, in front of Django's handlers and middleware.

``benchmarks/`` compares: it answers twice as many as a plain Django view does. It takes only what
is plainly good; all the rest, and the words for whatever is wrong, is :class:`MessageViewSet`'s.
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
from stats.api.validation import read_message
from stats.api.views import answer
from stats.services import recording as services

# What programs accept; whatever else is accepted is weighed by the full view.
PROGRAMS_ACCEPT = {"", "*/*", "application/json"}
PATHS = {"/messages", "/messages/"}
HEADERS = [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]

_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def wrap_wsgi(application: WSGIApplication) -> WSGIApplication:
    """The application, whose plain messages are answered before it is asked."""

    def door(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in PATHS and _is_plain(environ) and is_allowed(environ, "stats"):
            started = time.perf_counter()
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            if found := _count(body):
                status, headers, content = found
                _observe(status)(time.perf_counter() - started)
                start_response(f"{status} {HTTPStatus(status).phrase}", headers)
                return [content]
            environ["wsgi.input"] = BytesIO(body)
        return application(environ, start_response)

    return door


def _is_plain(environ: WSGIEnvironment) -> bool:
    """Whether a program posts a body of a plain size, and wants nothing special."""
    length = environ.get("CONTENT_LENGTH") or ""
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("CONTENT_TYPE") == "application/json"
        and environ.get("HTTP_ACCEPT", "") in PROGRAMS_ACCEPT
        and not environ.get("QUERY_STRING")
        and length.isdecimal()
        and int(length) <= settings.MAX_BODY_BYTES
        and _is_our_host(environ.get("HTTP_HOST", ""))
        and (not settings.SECURE_SSL_REDIRECT or is_secure(environ))
    )


@lru_cache(maxsize=64)
def _is_our_host(host: str) -> bool:
    return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)


def _count(body: bytes) -> tuple[int, list[tuple[str, str]], bytes] | None:
    """Status, headers and body of the answer; None if the full view has to give it."""
    try:
        message = read_message(parse_json(body), at=timezone.now())
        status, content = answer(services.record_message(message))
        headers = HEADERS
    except APIException:
        return None
    except DatabaseError as error:
        away: Any = exception_handler(error, {})
        if away is None:
            return None
        status, content, headers = away.status_code, away.data, [*HEADERS, *away.items()]
    rendered = _as_json(content).encode()
    return status, [*headers, ("Content-Length", str(len(rendered)))], rendered


@lru_cache(maxsize=8)
def _observe(status: int) -> Callable[[float], None]:
    return REQUEST_SECONDS.labels("POST", "/messages", str(status)).observe
