"""Responses to errors outside the API's views: JSON, or a page in a browser."""

import sys
from http import HTTPStatus

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers

from common.api.errors import RETRY_AFTER_SECONDS, UNAVAILABLE_DETAIL
from common.api.negotiation import wants_page
from common.db.errors import is_unavailable


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    detail = "The request is malformed."
    if isinstance(exception, DisallowedHost):
        detail = "This host name is not allowed. Add it to ALLOWED_HOSTS."
    return _error_response(request, 400, detail)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _error_response(request, 404, "This path does not exist. See /docs for all paths.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 if a database is unavailable, else 500."""
    error = sys.exception()
    if error is None or not is_unavailable(error):
        return _error_response(request, 500, "An unexpected error occurred. It was logged.")
    response = _error_response(request, 503, UNAVAILABLE_DETAIL)
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _error_response(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """Return JSON or a page. Use no database, because it may be unavailable."""
    response: HttpResponse = JsonResponse({"detail": detail}, status=status)
    if wants_page(request):
        context = {"title": HTTPStatus(status).phrase, "detail": detail}
        response = HttpResponse(render_to_string("common/error.html", context), status=status)
    patch_vary_headers(response, ["Accept"])
    return response
