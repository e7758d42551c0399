"""The 401 page that leads a person's browser to the login and back."""

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from rest_framework import status
from rest_framework.exceptions import (
    NotAuthenticated,
)
from rest_framework.request import Request

from common.api.negotiation import wants_page
from common.api_keys.cache import KEYWORD

if TYPE_CHECKING:
    pass  # which reads this module's names from the settings


def needs_login_page(request: Request | HttpRequest, refusal: Exception) -> bool:
    """Whether a person's browser came without having signed in, where people can."""
    return (
        settings.SERVES_ALL
        and isinstance(refusal, NotAuthenticated)
        and request.method in {"GET", "HEAD"}
        and wants_page(request)
    )


def login_page_response(request: Request | HttpRequest) -> HttpResponse:
    """401, as a page that leads to where people sign in, and from there back."""
    query = urlencode({"next": request.get_full_path()})
    context = {
        "title": "Sign in to see this page",
        "detail": "It is for those who are signed in, and for programs with an API key.",
        "log_in": f"{reverse('admin:login')}?{query}",
    }
    return HttpResponse(
        render_to_string("common/error.html", context),
        status=status.HTTP_401_UNAUTHORIZED,
        headers={"WWW-Authenticate": KEYWORD, "Vary": "Accept"},
    )
