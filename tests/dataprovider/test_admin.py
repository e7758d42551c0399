import pytest

from dataprovider.models import EventStatus
from tests.dataprovider.factories import EventFactory

pytestmark = pytest.mark.django_db(databases="__all__")

LIST = "/admin/dataprovider/event/"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", {1, 2}),
        ("?q=8", {2}),
        ("?q=suite", {1}),
        (f"?rpg_status__exact={EventStatus.CANCELLATION}", {2}),
        ("?timestamp__gte=2020-01-01T00:00Z&timestamp__lt=2021-01-01T00:00Z", {1, 2}),
        ("?timestamp__gte=2021-01-01T00:00Z&timestamp__lt=2022-01-01T00:00Z", set()),
    ],
)
def test_list_can_be_searched_and_filtered_with_at_most_five_queries(
    admin_client, query, ids, django_assert_max_num_queries
):
    EventFactory(id=1, room_id="suite")
    EventFactory(id=2, hotel_id=8, rpg_status=EventStatus.CANCELLATION)

    with django_assert_max_num_queries(5):
        page = admin_client.get(LIST + query)

    assert {event.pk for event in page.context["cl"].result_list} == ids
