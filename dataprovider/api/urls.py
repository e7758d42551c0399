from common.urls import optional_slash
from dataprovider.api.views import EventViewSet

urlpatterns = optional_slash(
    "events", EventViewSet.as_view({"get": "list", "post": "create"}, name="Events"), "events"
)
