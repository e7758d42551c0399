"""Refusals: DRF's shape, and the statuses that DRF has no word for."""

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
UNAVAILABLE_DETAIL = "A store behind this service is away; try again."


class Conflict(APIException):
    """409: refused by what is stored; ``conflicts`` says what is stored and what was sent."""

    status_code = status.HTTP_409_CONFLICT

    def __init__(self, detail: str, conflicts: Mapping[str, Mapping[str, Any]]) -> None:
        self.detail: Any = {"detail": detail, "conflicts": conflicts}


class ConflictSerializer(serializers.Serializer[Any]):
    """What a 409 holds, for OpenAPI."""

    detail = serializers.CharField()
    conflicts = serializers.DictField(
        child=serializers.DictField(), help_text="Field to what is stored and what was sent."
    )


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE

    def __init__(self, allowed: int) -> None:
        super().__init__(f"The body is too large; allowed: {allowed} bytes.")


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | HttpResponse | None:
    """DRF's own answers, 503 while a store is away, and a way to sign in for browsers."""
    if isinstance(error, NotAuthenticated) and needs_login_page(context["request"], error):
        return login_page_response(context["request"])
    if is_unavailable(error):
        return Response(
            {"detail": UNAVAILABLE_DETAIL},
            status=status.HTTP_503_SERVICE_UNAVAILABLE,
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    if isinstance(error, UnsupportedMediaType):
        allowed = " or ".join(parser.media_type for parser in context["view"].parser_classes)
        error.detail = ErrorDetail(f"{error.detail} Allowed: {allowed}.", error.default_code)
    return drf_exception_handler(error, context)
