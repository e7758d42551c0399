from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from common import views
from common.urls import optional_slash

handler400 = "common.views.bad_request"
handler404 = "common.views.not_found"
handler500 = "common.views.server_error"

urlpatterns: list[URLPattern | URLResolver] = []
# The services first: what is asked most is found first.
for service in settings.SERVICES:
    urlpatterns += [
        path("", include(f"{service}.api.urls")),
        *optional_slash(f"schema/{service}", views.schema(service), f"schema-{service}"),
        *optional_slash(f"docs/{service}", views.docs(service), f"docs-{service}"),
    ]
urlpatterns += [
    path("", views.index, name="index"),
    *optional_slash("healthz", views.healthz, "healthz"),
    *optional_slash("readyz", views.readyz, "readyz"),
    *optional_slash("metrics", views.metrics, "metrics"),
    *optional_slash("schema", views.schema(), "schema"),
    *optional_slash("docs", views.docs(), "docs"),
]
if settings.SERVES_ALL:
    from django.contrib import admin

    urlpatterns += [
        path("admin", RedirectView.as_view(url="/admin/")),
        path("admin/", admin.site.urls),
    ]
