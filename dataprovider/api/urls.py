from common.urls import both_slashes
from dataprovider.api.views import EventViewSet

urlpatterns = both_slashes(
    "events", EventViewSet.as_view({"get": "list", "post": "create"}, name="Events"), "events"
)
