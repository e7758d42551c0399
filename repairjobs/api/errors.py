"""HTTP errors for the exceptions of services and integrations."""

from typing import Any

from rest_framework import status
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotFound,
    ValidationError,
)
from rest_framework.response import Response

from common.api.errors import RETRY_AFTER_SECONDS, UNAVAILABLE_DETAIL, Conflict
from repairjobs.integrations.client_database import ClientUnavailable, JobIdTaken
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.integrations.sms.base import (
    InvalidSignature,
    MalformedWebhook,
    WebhookSecretMissing,
)
from repairjobs.models import UnknownJob
from repairjobs.services.parts import UnknownPart
from repairjobs.services.payments import PaymentConflict
from repairjobs.services.private_messages import CannotText


class ServiceUnavailable(APIException):
    """503: a database or an outside system is unavailable, or a secret is missing."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = UNAVAILABLE_DETAIL
    wait = RETRY_AFTER_SECONDS


class ErrorsAsHttp:
    """A mixin for views: answer exceptions of services and integrations with an HTTP error."""

    def handle_exception(self, exc: Exception) -> Response:
        response: Response = super().handle_exception(to_http_error(exc))  # type: ignore[misc]
        return response


def to_http_error(error: Exception) -> Exception:
    """Return the HTTP error for an exception, or the exception itself if there is no such error."""
    match error:
        case UnknownJob() | UnknownPart():
            return NotFound(str(error))
        case PaymentConflict():
            return Conflict(str(error), format_conflicts(error))
        case CannotText() | JobIdTaken():
            return Conflict(str(error), {})
        case ClientUnavailable() | DocumentsUnavailable():
            return ServiceUnavailable()
        case WebhookSecretMissing():
            return ServiceUnavailable(str(error))
        case InvalidSignature():
            return AuthenticationFailed(str(error))
        case MalformedWebhook():
            return ValidationError(error.errors)
        case _:
            return error


def format_conflicts(error: PaymentConflict) -> dict[str, dict[str, Any]]:
    """Return the conflicting fields with both values: ids as numbers, amounts as text."""
    return {
        name: {
            "stored": stored if name == "job_id" else str(stored),
            "sent": sent if name == "job_id" else str(sent),
        }
        for name, (stored, sent) in error.conflicts.items()
    }
