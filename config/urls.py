from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from common import views
from common.urls import both_slashes

handler400 = "common.views.bad_request"
handler404 = "common.views.not_found"
handler500 = "common.views.server_error"

urlpatterns: list[URLPattern | URLResolver] = []
# The services first: what is asked most is found first.
for service in settings.SERVICES:
    urlpatterns += [
        path("", include(f"{service}.api.urls")),
        *both_slashes(f"schema/{service}", views.schema(service), f"schema-{service}"),
        *both_slashes(f"docs/{service}", views.docs(service), f"docs-{service}"),
    ]
urlpatterns += [
    path("", views.index, name="index"),
    *both_slashes("healthz", views.healthz, "healthz"),
    *both_slashes("readyz", views.readyz, "readyz"),
    *both_slashes("metrics", views.metrics, "metrics"),
    *both_slashes("schema", views.schema(), "schema"),
    *both_slashes("docs", views.docs(), "docs"),
]
if settings.CARRIES_ALL:
    from django.contrib import admin

    urlpatterns += [
        path("admin", RedirectView.as_view(url="/admin/")),
        path("admin/", admin.site.urls),
    ]
