import os
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http.request import MediaType

from common.checks import reject_unsafe_settings
from common.service import served_services

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

# One byte more than any view accepts. The rest of a larger body is read and discarded.
MAX_BUFFERED_BYTES = 16 * 1024 * 1024 + 1
CHUNK_BYTES = 64 * 1024


def sanitize_request(application: Application) -> Application:
    """Fix chunked bodies, and headers that make Django fail before it calls a view."""

    def sanitized(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not is_parsable(environ.get("CONTENT_TYPE", "")):
            environ["CONTENT_TYPE"] = "application/octet-stream"
        accept = environ.get("HTTP_ACCEPT", "*/*")
        if not accept or not all(is_parsable(media_type) for media_type in accept.split(",")):
            environ["HTTP_ACCEPT"] = "*/*"
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            buffer_chunked_body(environ)
        return application(environ, start_response)

    return sanitized


def is_parsable(media_type: str) -> bool:
    """Return whether Django can parse the media type. It fails on parameters like ``x*=y''z``."""
    try:
        parameters = MediaType(media_type).params
    except (LookupError, ValueError):
        return False
    # Django ignores an unknown charset, but fails to look up one that contains NUL.
    return "\0" not in str(parameters.get("charset", ""))


def buffer_chunked_body(environ: Environ) -> None:
    """Add the length of a chunked body. Without a length Django reads nothing."""
    body = BytesIO()
    while chunk := environ["wsgi.input"].read(CHUNK_BYTES):
        if body.tell() < MAX_BUFFERED_BYTES:
            body.write(chunk)
    environ["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    environ["wsgi.input"] = body


application: Application = sanitize_request(get_wsgi_application())
reject_unsafe_settings()
for service in served_services():
    application = service.wrap_wsgi(application)
