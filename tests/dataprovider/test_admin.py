import pytest

from dataprovider.models import Status
from tests.dataprovider.factories import EventFactory

pytestmark = pytest.mark.django_db(databases="__all__")

LIST = "/admin/dataprovider/event/"


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", {1, 2}),
        ("?q=8", {2}),
        ("?q=suite", {1}),
        (f"?rpg_status__exact={Status.CANCELLATION}", {2}),
        ("?timestamp__gte=2020-01-01T00:00Z&timestamp__lt=2021-01-01T00:00Z", {1, 2}),
        ("?timestamp__gte=2021-01-01T00:00Z&timestamp__lt=2022-01-01T00:00Z", set()),
    ],
)
def test_the_list_is_searched_and_narrowed_in_a_few_questions(
    admin_client, query, ids, django_assert_max_num_queries
):
    EventFactory(id=1, room_id="suite")
    EventFactory(id=2, hotel_id=8, rpg_status=Status.CANCELLATION)

    with django_assert_max_num_queries(5):
        page = admin_client.get(LIST + query)

    assert {event.pk for event in page.context["cl"].result_list} == ids
