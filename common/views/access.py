"""Decorators for plain Django views: allowed methods and API keys."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException, NotAuthenticated

from common.api.authentication import ApiKeyAuthentication, is_staff
from common.api.login_page import login_page_response, needs_login_page
from common.api_keys.cache import KEYWORD

View = Callable[..., HttpResponse]
READ_METHODS = ["GET", "HEAD"]


def read_only(view: View) -> View:
    """Answer all methods except GET and HEAD with 405, in the format of the API."""

    @csrf_exempt
    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method in READ_METHODS:
            return view(request, *args, **kwargs)
        detail = f'Method "{request.method}" not allowed.'
        headers = {"Allow": ", ".join(READ_METHODS)}
        return JsonResponse({"detail": detail}, status=405, headers=headers)

    return wrapper


def require_caller(view: View) -> View:
    """Require an API key of any service, or a session of a staff user."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.API_KEYS_REQUIRED or is_staff(request):
            return view(request, *args, **kwargs)
        error: APIException = NotAuthenticated()
        try:
            if ApiKeyAuthentication().authenticate(request):
                return view(request, *args, **kwargs)
        except APIException as authentication_error:
            error = authentication_error
        if needs_login_page(request, error):
            return login_page_response(request)
        return _error_response(error)

    return wrapper


def _error_response(error: APIException) -> HttpResponse:
    headers = {"WWW-Authenticate": KEYWORD} if error.status_code == 401 else {}
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(wait)
    return JsonResponse({"detail": error.detail}, status=error.status_code, headers=headers)
