from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework import status
from rest_framework.exceptions import APIException, NotFound

from common.api.errors import RETRY_AFTER_SECONDS
from repairjobs.integrations.client_database import ClientUnavailable
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.models import UnknownJob
from repairjobs.services.parts import UnknownPart


class SystemUnavailable(APIException):
    """503: a database or outside system is unavailable."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "A database or outside system is unavailable; try again."
    wait = RETRY_AFTER_SECONDS


@contextmanager
def as_http() -> Iterator[None]:
    """Turn the errors of services into HTTP errors."""
    try:
        yield
    except (UnknownJob, UnknownPart) as error:
        raise NotFound(str(error)) from error
    except (ClientUnavailable, DocumentsUnavailable) as error:
        raise SystemUnavailable from error
