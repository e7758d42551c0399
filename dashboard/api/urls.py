from common.urls import both_slashes
from dashboard.api.lean import report_view

urlpatterns = both_slashes("dashboard", report_view, "dashboard")
