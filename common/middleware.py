import time
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from common.metrics import REQUEST_SECONDS

GetResponse = Callable[[HttpRequest], HttpResponse]

# How much of an unread body is read before the connection is closed.
MAX_DRAINED_BYTES = 64 * 1024 * 1024

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def measure_requests(get_response: GetResponse) -> GetResponse:
    """Measure requests for ``/metrics`` by route. Paths would make too many labels."""

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        match = request.resolver_match
        REQUEST_SECONDS.labels(
            request.method if request.method in METHODS else "other",
            "/" + match.route.rstrip("/") if match else "unknown",
            str(response.status_code),
        ).observe(time.perf_counter() - started)
        return response

    return middleware


def drain_request_body(get_response: GetResponse) -> GetResponse:
    """Read the rest of the body before responding.

    If a server responds and closes the connection while the client still sends, the client sees a
    connection error instead of the response. Text is always decoded as UTF-8, because Django would
    also decode the query with the content type's charset.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if (request.encoding or "utf-8").lower() != "utf-8":
            request.encoding = "utf-8"
        response = get_response(request)
        if int(request.META.get("CONTENT_LENGTH") or 0) > 0:
            drained = 0
            try:
                while drained < MAX_DRAINED_BYTES and (chunk := request.read(64 * 1024)):
                    drained += len(chunk)
            except OSError:
                # The client has disconnected, so the response does not matter.
                return HttpResponse(status=HTTPStatus.BAD_REQUEST)
        return response

    return middleware


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Set the Content-Security-Policy header of pages."""
    page, admin = (
        "; ".join(f"{name} {sources}" for name, sources in policy.items())
        for policy in (settings.CONTENT_SECURITY_POLICY, settings.ADMIN_CONTENT_SECURITY_POLICY)
    )

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            is_admin = request.path_info.startswith("/admin/")
            response.headers["Content-Security-Policy"] = admin if is_admin else page
        return response

    return middleware
