from datetime import date, datetime, timedelta
from uuid import uuid4

import pytest

from common.widgets import Chart, StatTile
from stats.models import DailyTotal, Message
from stats.widgets import cards
from tests.stats.factories import NOON

pytestmark = pytest.mark.django_db

TODAY = NOON.date()


def total(day: date, messages: int, thousandths: int, customer: int = 1) -> None:
    DailyTotal.objects.create(
        customer_id=customer,
        type="A",
        day=day,
        messages=messages,
        amount_thousandths=thousandths,
    )


def shown(at: datetime = NOON) -> list[StatTile | Chart]:
    return list(cards(can_view=lambda model: True, at=at))


class TestCards:
    def test_tell_today_from_yesterday_exactly(self):
        total(TODAY, 2, 2**53 + 1)
        total(TODAY, 1, 1, customer=2)
        total(TODAY - timedelta(days=1), 1, 100)

        messages, amount, _ = shown()

        assert (messages.value, messages.note) == ("3", "yesterday 1")
        assert (amount.value, amount.note) == ("9,007,199,254,740.994", "yesterday 0.100")

    def test_chart_days_without_messages_as_nothing(self):
        total(TODAY - timedelta(days=13), 5, 1)
        total(TODAY - timedelta(days=14), 7, 1)

        chart = shown()[-1]

        assert (chart.labels[0], chart.labels[-1]) == ("18 Jan", "31 Jan")
        assert list(chart.series["Messages"]) == [5, *[0] * 13]

    def test_are_only_for_who_may_see_the_totals(self):
        assert list(cards(can_view=lambda model: model == "message", at=NOON)) == []

    def test_ask_once(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            shown()

    def test_lead_to_the_day(self, admin_client):
        total(TODAY, 2, 20)
        total(TODAY - timedelta(days=1), 1, 10)

        page = admin_client.get(shown()[0].link)

        assert [row.amount for row in page.context["cl"].result_list] == ["0.020"]


class TestLists:
    @pytest.mark.parametrize("page", ["dailytotal", "message"])
    @pytest.mark.parametrize("query", ["", "?q=7", "?q=word"])
    def test_ask_five_questions(self, admin_client, page, query, django_assert_max_num_queries):
        with django_assert_max_num_queries(5):
            assert admin_client.get(f"/admin/stats/{page}/{query}").status_code == 200


class TestPages:
    def page(self, client, row):
        return client.get(f"/admin/stats/{row._meta.model_name}/{row.pk}/change/").content.decode()

    def test_show_amounts_exactly(self, admin_client):
        total(TODAY, 2, 2**53 + 1)
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
