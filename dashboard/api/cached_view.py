"""Hot path: ``GET /dashboard`` for programs, as bytes that are kept until a report changes.

``benchmarks/`` compares. Everything else, and every refusal, is :class:`ReportView`'s.
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
from dashboard.api.views import KNOWN, ReportView, read_question
from dashboard.models import Ingestion
from dashboard.services.report import report

KEPT_ANSWERS = 512
STATE = f"SELECT version, watermark FROM {Ingestion._meta.db_table}"
JSON = re.compile(r"(^|,)\s*(\*/\*|application/json)\s*(,|$)")

full_view: Any = ReportView.as_view()


class Answer(NamedTuple):
    body: bytes
    etag: str


@csrf_exempt
def report_view(request: HttpRequest) -> HttpResponseBase:
    """Answer a program from what is kept; leave the rest to the full view."""
    # The raw headers and query: Django's parsed ones cost as much as the answer.
    asked, accept = request.META["QUERY_STRING"], request.META.get("HTTP_ACCEPT", "")
    is_plain = request.method in {"GET", "HEAD"} and is_for_programs(accept)
    is_plain = is_plain and ("format" not in asked or "format=json" in asked)
    if is_plain and is_allowed(request.META, "dashboard"):
        try:
            return _answer(request, asked)
        except ValidationError:
            pass  # the full view has the words for it
        except (OperationalError, InterfaceError):
            # The full view looks whether the connection lives, and takes another one.
            connections["dashboard"].health_check_done = False  # type: ignore[attr-defined]
    response: HttpResponseBase = full_view(request)
    return response


report_view.cls = ReportView  # type: ignore[attr-defined]  # what the OpenAPI document reads
report_view.initkwargs = {}  # type: ignore[attr-defined]


def is_for_programs(accept: str) -> bool:
    """Whether JSON is what this Accept header gets, as most do; the full view knows the rest."""
    if "text/html" in accept or "text/csv" in accept:
        return False
    return not accept or JSON.search(accept) is not None


def _answer(request: HttpRequest, asked: str) -> HttpResponseBase:
    connection = connections["dashboard"]
    # Reading the state tells as well as a question of its own whether the connection lives.
    connection.health_check_done = True  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute(STATE)
        state = cursor.fetchone()
    body, etag = kept_answer(asked, timezone.now().year, state)
    headers = {"ETag": etag, "Vary": "Accept", "Cache-Control": "no-cache"}
    response = HttpResponse(body, content_type="application/json", headers=headers)
    if "HTTP_IF_NONE_MATCH" in request.META:
        return get_conditional_response(request, etag=etag, response=response) or response
    return response


@lru_cache(maxsize=KEPT_ANSWERS)
def kept_answer(query: str, this_year: int, state: tuple[Any, ...] | None) -> Answer:
    """The answer to a query string in one state of the ingestion.

    :raises ValidationError: which is not kept.
    """
    parameters = QueryDict(query)
    check_parameters(parameters, KNOWN)
    question = read_question(parameters.dict(), this_year)
    body = JSONRenderer().render(report(question, Ingestion.objects.current().watermark))
    return Answer(body, f'"{blake2b(body, digest_size=12).hexdigest()}"')
