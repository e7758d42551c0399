from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest

from common.widgets import Chart, StatTile
from stats.models import DailyTotal, Message
from stats.widgets import admin_widgets
from tests.stats.factories import NOON

pytestmark = pytest.mark.django_db

TODAY = NOON.date()


def create_total(day: date, messages: int, amount_thousandths: int, customer_id: int = 1) -> None:
    DailyTotal.objects.create(
        customer_id=customer_id,
        type="A",
        day=day,
        messages=messages,
        amount_thousandths=amount_thousandths,
    )


def widgets(at: datetime = NOON) -> list[StatTile | Chart]:
    return list(admin_widgets(can_view=lambda model: True, at=at))


class TestWidgets:
    def test_tiles_show_the_exact_sums_of_today_and_yesterday(self):
        create_total(TODAY, 2, 2**53 + 1)
        create_total(TODAY, 1, 1, customer_id=2)
        create_total(TODAY - timedelta(days=1), 1, 100)

        messages, amount, _ = widgets()

        assert (messages.value, messages.note) == ("3", "yesterday 1")
        assert (amount.value, amount.note) == ("9,007,199,254,740.994", "yesterday 0.100")

    def test_chart_shows_zero_for_days_without_messages(self):
        create_total(TODAY - timedelta(days=13), 5, 1)
        create_total(TODAY - timedelta(days=14), 7, 1)

        chart = widgets()[-1]

        assert (chart.labels[0], chart.labels[-1]) == ("18 Jan", "31 Jan")
        assert list(chart.series["Messages"]) == [5, *[0] * 13]

    def test_widgets_are_hidden_from_a_user_who_cannot_view_totals(self):
        assert list(admin_widgets(can_view=lambda model: model == "message", at=NOON)) == []

    def test_widgets_need_one_query(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            widgets()

    def test_tiles_link_to_the_totals_of_the_day(self, admin_client):
        create_total(TODAY, 2, 20)
        create_total(TODAY - timedelta(days=1), 1, 10)

        page = admin_client.get(widgets()[0].link)

        assert [row.amount for row in page.context["cl"].result_list] == ["0.020"]


class TestLists:
    @pytest.mark.parametrize("page", ["dailytotal", "message"])
    @pytest.mark.parametrize("query", ["", "?q=7", "?q=word"])
    def test_lists_need_at_most_five_queries(
        self, admin_client, page, query, django_assert_max_num_queries
    ):
        with django_assert_max_num_queries(5):
            assert admin_client.get(f"/admin/stats/{page}/{query}").status_code == 200


class TestPages:
    def page(self, client, row):
        return client.get(f"/admin/stats/{row._meta.model_name}/{row.pk}/change/").content.decode()

    def test_pages_show_exact_amounts(self, admin_client):
        create_total(TODAY, 2, 2**53 + 1)
        message = Message.objects.create(
            uuid=uuid4(), customer_id=1, type="A", amount_thousandths=36, timestamp=NOON
        )

        for row, amount in [
            (DailyTotal.objects.get(), "9007199254740.993"),
            (message, "0.036"),
        ]:
            page = self.page(admin_client, row)
            assert amount in page
            assert "thousandths" not in page
