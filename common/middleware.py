import time
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from common.metrics import REQUEST_SECONDS

GetResponse = Callable[[HttpRequest], HttpResponse]

# The most that is read of a body nobody wanted, before its connection is let go.
MAX_DRAINED_BYTES = 64 * 1024 * 1024

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def measure_requests(get_response: GetResponse) -> GetResponse:
    """Observe each request for ``/metrics``, by its route, so that labels stay few."""

    def measured(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        match = request.resolver_match
        REQUEST_SECONDS.labels(
            request.method if request.method in METHODS else "other",
            "/" + match.route.rstrip("/") if match else "unknown",
            str(response.status_code),
        ).observe(time.perf_counter() - started)
        return response

    return measured


def drain_request_body(get_response: GetResponse) -> GetResponse:
    """Read what is left of the body before answering.

    A server that answers and closes while its client still sends breaks the connection, and the
    client never sees why it was refused. Text is UTF-8 whatever the content type claims, since
    Django decodes the query with it too.
    """

    def finished(request: HttpRequest) -> HttpResponse:
        if (request.encoding or "utf-8").lower() != "utf-8":
            request.encoding = "utf-8"
        response = get_response(request)
        if int(request.META.get("CONTENT_LENGTH") or 0) > 0:
            drained = 0
            try:
                while drained < MAX_DRAINED_BYTES and (piece := request.read(64 * 1024)):
                    drained += len(piece)
            except OSError:
                # The client has gone; there is nobody to answer.
                return HttpResponse(status=HTTPStatus.BAD_REQUEST)
        return response

    return finished


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Tell browsers what a page may load and run, and that nobody may frame it."""
    page, admin = (
        "; ".join(f"{name} {sources}" for name, sources in policy.items())
        for policy in (settings.CONTENT_SECURITY_POLICY, settings.ADMIN_CONTENT_SECURITY_POLICY)
    )

    def guarded(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            is_admins = request.path_info.startswith("/admin/")
            response.headers["Content-Security-Policy"] = admin if is_admins else page
        return response

    return guarded
