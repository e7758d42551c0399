"""The browsable API's pages and forms."""

import json
import re
from collections.abc import Mapping
from typing import Any

from django.utils.html import conditional_escape
from django.utils.safestring import mark_safe
from rest_framework import renderers
from rest_framework.request import Request

CODE = re.compile("`([^`]+)`")  # in a docstring


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """DRF's pages, with links to what is related, and forms that begin with an example.

    Forms name fields as the API does, and keep what was sent if it is refused.
    Forms that ask send only what was filled in (``common/forms.js``).
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
            reasons = [(name, why) for name, why in data.items() if isinstance(why, list)]
            context |= {"refusals": reasons, "refused": [name for name, _ in reasons]}
        return context

    def get_description(self, view: Any, status_code: int) -> Any:
        description = conditional_escape(super().get_description(view, status_code))
        return mark_safe(CODE.sub(r"<code>\1</code>", description))  # noqa: S308 (escaped above)

    def get_filter_form(self, data: Any, view: Any, request: Any) -> Any:
        return super().get_filter_form(data, view, request) if isinstance(data, list) else None

    def get_raw_data_form(self, data: Any, view: Any, method: str, request: Any) -> Any:
        form = super().get_raw_data_form(data, view, method, request)
        example = view.example(method)
        if form and self._is_refused(request, method) and view.typed is not None:
            form.fields["_content"].initial = view.typed
            form.fields["_content_type"].initial = request.content_type.partition(";")[0]
        elif form and example is not None:
            form.fields["_content"].initial = json.dumps(example, indent=4, ensure_ascii=False)
        return form

    def _is_refused(self, request: Request, method: str) -> bool:
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
    """Whether somebody opened what can only be posted to: they want its form, not the 405."""
    is_refused = context["request"].method == "GET" and context["response"].status_code == 405
    return is_refused and context["raw_data_post_form"] is not None
