from common.urls import optional_slash
from dashboard.api.cached_view import report_view

urlpatterns = optional_slash("dashboard", report_view, "dashboard")
