from datetime import UTC, datetime, timedelta

import pytest
from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User

from dashboard.models import DateBasis, Ingestion, RejectedEvent
from dashboard.widgets import admin_widgets
from tests.dashboard.factories import DailyTotalFactory, rejected_event

pytestmark = pytest.mark.django_db(databases=["default", "dashboard"])

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class TestRetryAction:
    @pytest.fixture
    def post(self, client):
        user = User.objects.create_user("someone", is_staff=True)

        def post(*permissions, **fields):
            user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
            client.force_login(user)
            return client.post(
                "/admin/dashboard/rejectedevent/",
                {
                    "action": "retry",
                    "_selected_action": [event.pk for event in RejectedEvent.objects.all()],
                    **fields,
                },
                follow=True,
            )

        return post

    PERMISSIONS = ("view_rejectedevent", "change_rejectedevent")

    def test_action_asks_for_confirmation(self, post):
        rejected_event()

        response = post(*self.PERMISSIONS)

        assert "Retry these events?" in response.content.decode()
        assert RejectedEvent.objects.exists()

    def test_action_shows_the_outcomes_and_logs_them(self, post):
        rejected_event()
        rejected_event(id=2, rpg_status=7)

        response = post(*self.PERMISSIONS, confirmed="yes")

        (message,) = response.context["messages"]
        assert str(message) == "Retried: 1 rejected again, 1 stored and counted."
        assert message.level == messages.WARNING
        log = {(entry.user.username, entry.change_message) for entry in LogEntry.objects.all()}
        assert log == {
            ("someone", "Retried: stored and counted."),
            ("someone", "Retried: rejected again."),
        }

    def test_action_needs_the_permission_to_change_rejected_events(self, post):
        rejected_event()

        post("view_rejectedevent", confirmed="yes")

        assert RejectedEvent.objects.exists()
        assert not LogEntry.objects.exists()


class TestWidgets:
    def widgets(self, *models):
        return list(admin_widgets(can_view=lambda model: model in models, at=NOON))

    def test_widgets_add_up_the_bookings_of_thirty_days(self):
        by_booking_date = {"date_basis": DateBasis.BOOKING_DATE, "bookings": 3, "cancellations": 1}
        for day in (NOON.date(), NOON.date() - timedelta(days=29)):
            DailyTotalFactory(day=day, **by_booking_date)
        DailyTotalFactory(day=NOON.date(), hotel_id=2, **by_booking_date)
        DailyTotalFactory(day=NOON.date() - timedelta(days=30), **by_booking_date)
        DailyTotalFactory(day=NOON.date(), bookings=50)

        tile, chart = self.widgets("dailytotal")

        assert (tile.value, tile.note) == ("9", "3 cancelled, 6 net")
        assert list(chart.series["Booked"]) == [3, *[0] * 28, 6]
        assert list(chart.series["Cancelled"]) == [1, *[0] * 28, 2]

    def test_tile_links_to_the_days_that_it_adds_up(self, admin_client):
        for back in (-1, 0, 29, 30):
            day = NOON.date() - timedelta(days=back)
            DailyTotalFactory(day=day, date_basis=DateBasis.BOOKING_DATE, bookings=3)
        DailyTotalFactory(day=NOON.date(), bookings=50)

        tile = self.widgets("dailytotal")[0]
        rows = admin_client.get(tile.link).context["cl"].result_list

        assert tile.value == f"{sum(row.bookings for row in rows)}" == "6"

    @pytest.mark.parametrize("count", [0, 1])
    def test_tile_is_an_alarm_if_there_are_rejected_events(self, count):
        for number in range(count):
            rejected_event(id=number)

        (tile,) = self.widgets("rejectedevent")

        assert (tile.value, tile.is_alarm) == (str(count), count > 0)

    def test_widgets_need_two_queries(self, django_assert_max_num_queries):
        with django_assert_max_num_queries(2, using="dashboard"):
            self.widgets("dailytotal", "rejectedevent")


class TestLists:
    @pytest.mark.parametrize("page", ["dailytotal", "event", "rejectedevent", "ingestion"])
    @pytest.mark.parametrize("query", ["", "?q=7"])
    def test_list_needs_at_most_three_queries(
        self, admin_client, page, query, django_assert_max_num_queries
    ):
        rejected_event()
        DailyTotalFactory()

        with django_assert_max_num_queries(3, using="dashboard"):
            assert admin_client.get(f"/admin/dashboard/{page}/{query}").status_code == 200

    @pytest.mark.parametrize(
        ("query", "date_basis"),
        [
            ("", DateBasis.BOOKING_DATE),
            ("?date_basis=timestamp", DateBasis.BOOKING_DATE),
            ("?date_basis=night_of_stay", DateBasis.STAY_DATE),
        ],
    )
    def test_list_of_totals_shows_one_date_basis(self, admin_client, query, date_basis):
        for each in DateBasis:
            DailyTotalFactory(date_basis=each)

        response = admin_client.get(f"/admin/dashboard/dailytotal/{query}")

        assert [row.date_basis for row in response.context["cl"].result_list] == [date_basis]
        page = response.content.decode()
        assert page.index('title="Night of stay"') < page.index('id="changelist-form"')

    def test_list_of_totals_rejects_an_unknown_date_basis(self, admin_client):
        response = admin_client.get("/admin/dashboard/dailytotal/?date_basis=nonsense")

        assert response.status_code == 302

    def test_page_of_ingestion_explains_its_fields(self, admin_client):
        state = Ingestion.objects.create(pk=1)

        response = admin_client.get(f"/admin/dashboard/ingestion/{state.pk}/change/")

        assert "All events with timestamps up to here are stored." in response.content.decode()
