"""The pages and forms of the browsable API."""

import json
import re
from collections.abc import Mapping
from typing import Any

from django.utils.html import conditional_escape
from django.utils.safestring import mark_safe
from rest_framework import renderers
from rest_framework.request import Request

CODE = re.compile("`([^`]+)`")  # Markdown in a docstring


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """DRF's pages, with links to related pages and with forms that are filled with an example.

    Forms label fields with their names in the API, and keep the input after an error.
    ``common/forms.js`` removes empty parameters from GET forms.
    """

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        if not context["response"].exception:
            context["related"] = renderer_context["view"].related(data)
        elif is_post_only_page(context):
            context["is_post_only_page"] = True
        elif isinstance(data, dict):
            # Pairs, because a template would look up a parameter named "items" in a dict.
            errors = [(name, texts) for name, texts in data.items() if isinstance(texts, list)]
            context["field_errors"] = errors
            context["invalid_fields"] = [name for name, _ in errors]
        return context

    def get_description(self, view: Any, status_code: int) -> Any:
        description = conditional_escape(super().get_description(view, status_code))
        return mark_safe(CODE.sub(r"<code>\1</code>", description))  # noqa: S308 (escaped above)

    def get_filter_form(self, data: Any, view: Any, request: Any) -> Any:
        return super().get_filter_form(data, view, request) if isinstance(data, list) else None

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        form = super().get_raw_data_form(data, view, method, request)
        example = view.example(method)
        if form and self._has_failed(request, method) and view.raw_body is not None:
            form.fields["_content"].initial = view.raw_body
            form.fields["_content_type"].initial = request.content_type.partition(";")[0]
        elif form and example is not None:
            form.fields["_content"].initial = json.dumps(example, indent=4, ensure_ascii=False)
        return form

    def _has_failed(self, request: Request, method: str) -> bool:
        response = self.renderer_context["response"]  # type: ignore[attr-defined]
        return bool(request.method == method and response.exception)

    def render_form_for_serializer(self, serializer: Any) -> Any:
        view = self.renderer_context["view"]  # type: ignore[attr-defined]
        if not hasattr(serializer, "initial_data") and serializer.instance is None:
            for name, value in (view.example("POST") or {}).items():
                serializer.fields[name].initial = value
        for name, field in serializer.fields.items():
            field.label = name
        return super().render_form_for_serializer(serializer)


def is_post_only_page(context: Mapping[str, Any]) -> bool:
    """Return whether to show only the form, because the browser opened a path for POST only."""
    is_get = context["request"].method == "GET" and context["response"].status_code == 405
    return is_get and context["raw_data_post_form"] is not None
