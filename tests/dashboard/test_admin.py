import hashlib
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User

from dashboard.models import DailyTotal, Event, Ingestion, Reading, RejectedEvent
from dashboard.services import ingestion as services
from dashboard.services.ingestion import Outcome
from dashboard.widgets import cards
from tests.dashboard.factories import DailyTotalFactory

pytestmark = pytest.mark.django_db(databases=["default", "dashboard"])

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
GOOD = {
    "id": 1,
    "hotel_id": 1,
    "timestamp": "2026-01-02T03:04:05Z",
    "rpg_status": 1,
    "room_id": 1,
    "night_of_stay": "2026-02-03",
}


def put_aside(reason: str = "seen by an earlier release", **fields: object) -> RejectedEvent:
    content = json.dumps(GOOD | fields, sort_keys=True)
    return RejectedEvent.objects.create(
        digest=hashlib.sha256(content.encode()).hexdigest(),
        content=content,
        reason=reason,
        rejected_at=NOON - timedelta(days=9),
    )


def totals() -> list[tuple[str, date, int, int]]:
    rows = DailyTotal.objects.order_by("reading")
    return list(rows.values_list("reading", "day", "bookings", "cancellations"))


class TestReconsider:
    def test_stores_and_counts_what_is_good_once(self):
        rejected = put_aside()

        assert services.reconsider(rejected, at=NOON) == Outcome.STORED
        assert services.reconsider(rejected, at=NOON) == Outcome.GONE

        assert Event.objects.get().night_of_stay == date(2026, 2, 3)
        assert totals() == [
            ("night_of_stay", date(2026, 2, 3), 1, 0),
            ("timestamp", date(2026, 1, 2), 1, 0),
        ]
        assert not RejectedEvent.objects.exists()

    def test_puts_aside_again_what_is_still_bad(self):
        rejected = put_aside(rpg_status=7)

        assert services.reconsider(rejected, at=NOON) == Outcome.REJECTED

        again = RejectedEvent.objects.get()
        assert again.reason == "rpg_status must be 1 or 2"
        assert (again.content, again.rejected_at) == (rejected.content, NOON)
        assert totals() == []

    def test_puts_aside_again_what_contradicts_a_stored_event(self):
        services.reconsider(put_aside(), at=NOON)
        before = totals()
        rejected = put_aside(rpg_status=2)

        assert services.reconsider(rejected, at=NOON) == Outcome.REJECTED

        assert RejectedEvent.objects.get().reason == "id 1 is stored with other content"
        assert totals() == before

    def test_tells_of_a_contradiction_that_is_put_aside_already(self):
        services.reconsider(put_aside(), at=NOON)
        services.reconsider(put_aside(rpg_status=2), at=NOON)

        outcome = services.reconsider(put_aside(rpg_status=2, room_id=9), at=NOON)

        assert outcome == Outcome.REJECTED
        assert RejectedEvent.objects.count() == 1

    def test_counts_nothing_that_is_known(self):
        services.reconsider(put_aside(), at=NOON)
        before = totals()

        assert services.reconsider(put_aside(room_id=2), at=NOON) == Outcome.KNOWN

        assert totals() == before
        assert not RejectedEvent.objects.exists()


class TestAction:
    @pytest.fixture
    def act(self, client):
        user = User.objects.create_user("someone", is_staff=True)

        def act(*permissions, **fields):
            user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
            client.force_login(user)
            return client.post(
                "/admin/dashboard/rejectedevent/",
                {
                    "action": "reconsider",
                    "_selected_action": [event.pk for event in RejectedEvent.objects.all()],
                    **fields,
                },
                follow=True,
            )

        return act

    MAY = ("view_rejectedevent", "change_rejectedevent")

    def test_asks_first(self, act):
        put_aside()

        answer = act(*self.MAY)

        assert "Judge these events anew?" in answer.content.decode()
        assert RejectedEvent.objects.exists()

    def test_says_what_became_of_them_and_records_it(self, act):
        put_aside()
        put_aside(id=2, rpg_status=7)

        answer = act(*self.MAY, confirmed="yes")

        (said,) = answer.context["messages"]
        assert str(said) == "Ingested again: 1 rejected again, 1 stored and counted."
        assert said.level == messages.WARNING
        log = {(entry.user.username, entry.change_message) for entry in LogEntry.objects.all()}
        assert log == {
            ("someone", "Ingested again: stored and counted."),
            ("someone", "Ingested again: rejected again."),
        }

    def test_is_only_for_who_may_change(self, act):
        put_aside()

        act("view_rejectedevent", confirmed="yes")

        assert RejectedEvent.objects.exists()
        assert not LogEntry.objects.exists()


class TestCards:
    def shown(self, *models):
        return list(cards(can_view=lambda model: model in models, at=NOON))

    def test_add_up_what_was_booked_in_thirty_days(self):
        booked = {"reading": Reading.TIMESTAMP, "bookings": 3, "cancellations": 1}
        for day in (NOON.date(), NOON.date() - timedelta(days=29)):
            DailyTotalFactory(day=day, **booked)
        DailyTotalFactory(day=NOON.date(), hotel_id=2, **booked)
        DailyTotalFactory(day=NOON.date() - timedelta(days=30), **booked)
        DailyTotalFactory(day=NOON.date(), bookings=50)

        figure, chart = self.shown("dailytotal")

        assert (figure.value, figure.note) == ("9", "3 cancelled, 6 net")
        assert list(chart.series["Booked"]) == [3, *[0] * 28, 6]
        assert list(chart.series["Cancelled"]) == [1, *[0] * 28, 2]

    def test_lead_to_the_days_that_they_add_up(self, admin_client):
        for back in (-1, 0, 29, 30):
            day = NOON.date() - timedelta(days=back)
            DailyTotalFactory(day=day, reading=Reading.TIMESTAMP, bookings=3)
        DailyTotalFactory(day=NOON.date(), bookings=50)

        figure = self.shown("dailytotal")[0]
        rows = admin_client.get(figure.link).context["cl"].result_list

        assert figure.value == f"{sum(row.bookings for row in rows)}" == "6"

    @pytest.mark.parametrize("count", [0, 1])
    def test_alarm_at_rejected_events(self, count):
        for number in range(count):
            put_aside(id=number)

        (figure,) = self.shown("rejectedevent")

        assert (figure.value, figure.is_alarm) == (str(count), count > 0)

    def test_ask_two_questions(self, django_assert_max_num_queries):
        with django_assert_max_num_queries(2, using="dashboard"):
            self.shown("dailytotal", "rejectedevent")


class TestLists:
    @pytest.mark.parametrize("page", ["dailytotal", "event", "rejectedevent", "ingestion"])
    @pytest.mark.parametrize("query", ["", "?q=7"])
    def test_ask_three_questions(self, admin_client, page, query, django_assert_max_num_queries):
        put_aside()
        DailyTotalFactory()

        with django_assert_max_num_queries(3, using="dashboard"):
            assert admin_client.get(f"/admin/dashboard/{page}/{query}").status_code == 200

    @pytest.mark.parametrize(
        ("query", "reading"),
        [
            ("", Reading.TIMESTAMP),
            ("?reading=timestamp", Reading.TIMESTAMP),
            ("?reading=night_of_stay", Reading.NIGHT_OF_STAY),
        ],
    )
    def test_of_bookings_are_of_one_reading(self, admin_client, query, reading):
        for each in Reading:
            DailyTotalFactory(reading=each)

        answer = admin_client.get(f"/admin/dashboard/dailytotal/{query}")

        assert [row.reading for row in answer.context["cl"].result_list] == [reading]
        page = answer.content.decode()
        assert page.index('title="Night of stay"') < page.index('id="changelist-form"')

    def test_of_bookings_refuse_another_reading(self, admin_client):
        answer = admin_client.get("/admin/dashboard/dailytotal/?reading=nonsense")

        assert answer.status_code == 302

    def test_of_ingestion_lead_to_what_its_words_mean(self, admin_client):
        state = Ingestion.objects.create(pk=1)

        answer = admin_client.get(f"/admin/dashboard/ingestion/{state.pk}/change/")

        assert "Up to here events are in, by their timestamps." in answer.content.decode()
