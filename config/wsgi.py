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

# The largest body that any view takes is smaller; of larger ones no more than this is kept.
MAX_BODY_BYTES_KEPT = 16 * 1024 * 1024 + 1
PIECE = 64 * 1024


def sanitize_request(application: Application) -> Application:
    """Put right what Django, before any of its handlers, would stumble over."""

    def repaired(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not is_readable(environ.get("CONTENT_TYPE", "")):
            environ["CONTENT_TYPE"] = "application/octet-stream"
        accepted = environ.get("HTTP_ACCEPT", "*/*")
        if not accepted or not all(is_readable(kind) for kind in accepted.split(",")):
            environ["HTTP_ACCEPT"] = "*/*"
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            buffer_chunked_body(environ)
        return application(environ, start_response)

    return repaired


def is_readable(media_type: str) -> bool:
    """Whether Django can read this media type: it gives up on parameters like ``x*=y''z``."""
    try:
        parameters = MediaType(media_type).params
    except (LookupError, ValueError):
        return False
    # A charset that nobody knows is passed over, but one that cannot be looked up is not.
    return "\0" not in str(parameters.get("charset", ""))


def buffer_chunked_body(environ: Environ) -> None:
    """Give a body that came without its length one, as Django reads only as much as that says."""
    body = BytesIO()
    while piece := environ["wsgi.input"].read(PIECE):
        if body.tell() < MAX_BODY_BYTES_KEPT:
            body.write(piece)
    environ["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    environ["wsgi.input"] = body


application: Application = sanitize_request(get_wsgi_application())
reject_unsafe_settings()
for service in served_services():
    application = service.wrap_wsgi(application)
