"""Hot path: ``GET /dashboard`` for programs, as bytes that are cached until a report changes.

``benchmarks/report.py`` compares it with :class:`ReportView`, which handles all other requests and
all errors.
"""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import ValidationError

from common.api.fast_path import is_allowed
from common.api.json_format import JSONRenderer
from common.api.parsing import check_parameters
from dashboard.api.serializers import ReportSerializer, parse_query
from dashboard.api.views import PARAMETERS, ReportView
from dashboard.models import Ingestion
from dashboard.services.report import build_report

MAX_CACHED_RESPONSES = 512
STATE = f"SELECT version, watermark FROM {Ingestion._meta.db_table}"
JSON = re.compile(r"(^|,)\s*(\*/\*|application/json)\s*(,|$)")

full_view: Any = ReportView.as_view()


class CachedResponse(NamedTuple):
    body: bytes
    etag: str


@csrf_exempt
def report_view(request: HttpRequest) -> HttpResponseBase:
    """Answer JSON from the cache, and pass other requests on to the full view."""
    # Raw headers and query string: parsing them takes as long as the response.
    query, accept = request.META["QUERY_STRING"], request.META.get("HTTP_ACCEPT", "")
    wants_json = request.method in {"GET", "HEAD"} and accepts_json(accept)
    wants_json = wants_json and ("format" not in query or "format=json" in query)
    if wants_json and is_allowed(request.META, "dashboard"):
        try:
            return _respond(request, query)
        except ValidationError:
            pass  # the full view formats the errors
        except (OperationalError, InterfaceError):
            # The full view then checks the connection and opens a new one.
            connections["dashboard"].health_check_done = False  # type: ignore[attr-defined]
    response: HttpResponseBase = full_view(request)
    return response


report_view.cls = ReportView  # type: ignore[attr-defined]  # for drf-spectacular
report_view.initkwargs = {}  # type: ignore[attr-defined]


def accepts_json(accept: str) -> bool:
    """Return whether this Accept header clearly requests JSON. The full view handles all others."""
    if "text/html" in accept or "text/csv" in accept:
        return False
    return not accept or JSON.search(accept) is not None


def _respond(request: HttpRequest, query: str) -> HttpResponseBase:
    connection = connections["dashboard"]
    # The query below finds a broken connection, so Django's own check would only cost time.
    connection.health_check_done = True  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute(STATE)
        state = cursor.fetchone()
    body, etag = cached_response(query, timezone.now().year, state)
    headers = {"ETag": etag, "Vary": "Accept", "Cache-Control": "no-cache"}
    response = HttpResponse(body, content_type="application/json", headers=headers)
    if "HTTP_IF_NONE_MATCH" in request.META:
        return get_conditional_response(request, etag=etag, response=response) or response
    return response


@lru_cache(maxsize=MAX_CACHED_RESPONSES)
def cached_response(query: str, this_year: int, state: tuple[Any, ...] | None) -> CachedResponse:
    """Return the response to a query string. ``state`` is part of the cache key only.

    :raises ValidationError: if a parameter is missing or not allowed. Errors are not cached.
    """
    parameters = QueryDict(query)
    check_parameters(parameters, PARAMETERS)
    report = build_report(parse_query(parameters.dict(), this_year=this_year))
    body = JSONRenderer().render(ReportSerializer(report).data)
    return CachedResponse(body, f'"{blake2b(body, digest_size=12).hexdigest()}"')
