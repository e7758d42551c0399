"""API errors in DRF's format, with statuses for which DRF has no exception."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers, status
from rest_framework.exceptions import (
    APIException,
    ErrorDetail,
    NotAuthenticated,
    UnsupportedMediaType,
)
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from common.api.login_page import login_page_response, needs_login_page
from common.db.errors import is_unavailable

RETRY_AFTER_SECONDS = 5
UNAVAILABLE_DETAIL = "A database is unavailable. Try again later."


class Conflict(APIException):
    """409: the request conflicts with stored data.

    ``conflicts`` has the stored value and the sent value of each field.
    """

    status_code = status.HTTP_409_CONFLICT

    def __init__(self, detail: str, conflicts: Mapping[str, Mapping[str, Any]]) -> None:
        self.detail: Any = {"detail": detail, "conflicts": conflicts}


class ConflictSerializer(serializers.Serializer[Any]):
    """The body of a 409 response, for OpenAPI."""

    detail = serializers.CharField()
    conflicts = serializers.DictField(
        child=serializers.DictField(),
        help_text="For each field, the stored value and the value that was sent.",
    )


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"The body is too large. The maximum is {max_bytes} bytes.")


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | HttpResponse | None:
    """Return the response to an exception.

    Do the same as DRF's handler, but answer 503 if a database is unavailable, and answer with a
    login page if a browser without a session opened a page.
    """
    if isinstance(error, NotAuthenticated) and needs_login_page(context["request"], error):
        return login_page_response(context["request"])
    if is_unavailable(error):
        return Response(
            {"detail": UNAVAILABLE_DETAIL},
            status=status.HTTP_503_SERVICE_UNAVAILABLE,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    if isinstance(error, UnsupportedMediaType):
        media_types = " or ".join(parser.media_type for parser in context["view"].parser_classes)
        error.detail = ErrorDetail(f"{error.detail} Use {media_types}.", error.default_code)
    return drf_exception_handler(error, context)
