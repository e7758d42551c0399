from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from common.urls import optional_slash
from common.views.api_docs import docs, schema
from common.views.health import healthz, metrics, readyz
from common.views.index import index

handler400 = "common.views.errors.bad_request"
handler404 = "common.views.errors.not_found"
handler500 = "common.views.errors.server_error"

urlpatterns: list[URLPattern | URLResolver] = []
# The services come first, because Django tries the patterns in order.
for service in settings.SERVICES:
    urlpatterns += [
        path("", include(f"{service}.api.urls")),
        *optional_slash(f"schema/{service}", schema(service), f"schema-{service}"),
        *optional_slash(f"docs/{service}", docs(service), f"docs-{service}"),
    ]
urlpatterns += [
    path("", index, name="index"),
    *optional_slash("healthz", healthz, "healthz"),
    *optional_slash("readyz", readyz, "readyz"),
    *optional_slash("metrics", metrics, "metrics"),
    *optional_slash("schema", schema(), "schema"),
    *optional_slash("docs", docs(), "docs"),
]
if settings.SERVES_ALL:
    from django.contrib import admin

    urlpatterns += [
        path("admin", RedirectView.as_view(url="/admin/")),
        path("admin/", admin.site.urls),
    ]
