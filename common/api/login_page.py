"""The 401 page for browsers, with a link to the login page."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from rest_framework import status
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from common.api.negotiation import wants_page
from common.api_keys.cache import KEYWORD


def needs_login_page(request: Request | HttpRequest, error: Exception) -> bool:
    """Return whether to answer with a page, because a browser without a session opened one."""
    return (
        settings.SERVES_ALL
        and isinstance(error, NotAuthenticated)
        and request.method in {"GET", "HEAD"}
        and wants_page(request)
    )


def login_page_response(request: Request | HttpRequest) -> HttpResponse:
    """Return a 401 page with a link to the login page, which leads back to this URL."""
    query = urlencode({"next": request.get_full_path()})
    context = {
        "title": "Sign in to see this page",
        "detail": "This page needs a signed-in user. Programs use an API key.",
        "login_url": f"{reverse('admin:login')}?{query}",
    }
    return HttpResponse(
        render_to_string("common/error.html", context),
        status=status.HTTP_401_UNAUTHORIZED,
        headers={"WWW-Authenticate": KEYWORD, "Vary": "Accept"},
    )
