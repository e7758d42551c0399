from collections.abc import Iterator
from contextlib import contextmanager

from rest_framework import status
from rest_framework.exceptions import APIException, NotFound

from common.api.errors import RETRY_AFTER_SECONDS, UNAVAILABLE_DETAIL
from repairjobs.client import ClientUnavailable
from repairjobs.documents import DocumentsUnavailable
from repairjobs.services import jobs, parts


class SystemAway(APIException):
    """503: a system behind this service is away."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = UNAVAILABLE_DETAIL
    wait = RETRY_AFTER_SECONDS


@contextmanager
def as_http() -> Iterator[None]:
    """Turn what every action may meet into answers."""
    try:
        yield
    except (jobs.UnknownJob, parts.UnknownPart) as refusal:
        raise NotFound(str(refusal)) from refusal
    except (ClientUnavailable, DocumentsUnavailable) as error:
        raise SystemAway from error
