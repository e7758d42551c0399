from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection

from stats.models import DailyTotal, Message
from stats.services import verification as ledger
from stats.services.recording import record_message, record_messages
from tests.stats.factories import NOON, content

pytestmark = pytest.mark.django_db(transaction=True)


def totals():
    rows = DailyTotal.objects.values_list(
        "customer_id", "type", "day", "messages", "amount_thousandths"
    )
    return {(customer, type, str(day)): (count, sum) for customer, type, day, count, sum in rows}


def at_once(messages):
    """Record each message in a thread of its own, all starting together."""
    start = Barrier(len(messages))

    def record(message):
        start.wait()
        return record_message(message)

    with ThreadPoolExecutor(len(messages)) as threads:
        return list(threads.map(record, messages))


class TestRecordMessages:
    def test_counts_by_customer_type_and_day(self):
        record_messages(
            [
                content(),
                content(thousandths=1),
                content(type="B"),
                content(customer_id=2),
                content(timestamp=NOON + timedelta(days=1)),
            ]
        )

        assert totals() == {
            (1, "A", "2026-01-31"): (2, 13),
            (1, "A", "2026-02-01"): (1, 12),
            (1, "B", "2026-01-31"): (1, 12),
            (2, "A", "2026-01-31"): (1, 12),
        }

    def test_of_nothing_does_nothing(self):
        assert record_messages([]) == []

    def test_adds_to_what_is_counted(self):
        record_messages([content()])
        record_messages([content()])

        assert totals() == {(1, "A", "2026-01-31"): (2, 24)}

    def test_tells_new_known_and_conflicting_apart(self):
        known = content()
        record_messages([known])

        outcomes = record_messages(
            [content(), known, known._replace(thousandths=13, type="B", customer_id=2)]
        )

        assert [it.is_new for it in outcomes] == [True, False, False]
        assert [it.differences for it in outcomes] == [
            [],
            [],
            ["customer_id", "type", "thousandths"],
        ]
        assert [it.stored.uuid for it in outcomes[1:]] == [known.uuid, known.uuid]
        assert totals() == {(1, "A", "2026-01-31"): (2, 24)}

    def test_lets_the_first_of_a_uuid_stand_also_within_one_call(self):
        first = content()

        outcomes = record_messages([first, first, first._replace(thousandths=13)])

        assert [it.is_new for it in outcomes] == [True, False, False]
        assert [it.differences for it in outcomes] == [[], [], ["thousandths"]]
        assert totals() == {(1, "A", "2026-01-31"): (1, 12)}

    def test_compares_a_timestamp_only_if_the_sender_gave_it(self):
        first = content()
        later = first._replace(timestamp=NOON + timedelta(seconds=1))

        outcomes = record_messages([first, later, later._replace(is_timed=True)])

        assert [it.differences for it in outcomes] == [[], [], ["timestamp"]]

    @pytest.mark.parametrize(
        "timestamp",
        [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2026, 2, 1, tzinfo=UTC),
        ],
    )
    def test_keeps_a_message_to_the_microsecond_on_its_own_day(self, timestamp):
        sent = content(timestamp=timestamp, is_timed=True)
        record_messages([sent])

        (again,) = record_messages([sent])

        assert (again.stored, again.differences) == (sent, [])
        assert list(totals()) == [(1, "A", str(timestamp.date()))]

    @pytest.mark.parametrize("type", ["", " ", '"', "\\", "{,}", "null", "%s", "\t\n", "é", "🙂"])
    def test_keeps_any_type(self, type):
        record_messages([content(type=type), content(type="other")])

        assert sorted(Message.objects.values_list("type", flat=True)) == sorted([type, "other"])
        assert ledger.differences() == []

    def test_keeps_the_largest_numbers(self):
        numbers = {"customer_id": -(2**63), "thousandths": 10**12 - 1}
        record_messages([content(**numbers), content(**numbers)])

        assert totals() == {(-(2**63), "A", "2026-01-31"): (2, 2 * (10**12 - 1))}


class TestRecordMessage:
    def test_of_200_threads_with_one_uuid_counts_one(self):
        message = content()

        outcomes = at_once([message] * 200)

        assert sorted(it.is_new for it in outcomes) == [False] * 199 + [True]
        assert not any(it.differences for it in outcomes)
        assert totals() == {(1, "A", "2026-01-31"): (1, 12)}

    def test_of_200_threads_with_other_contents_lets_one_stand(self):
        uuid = str(uuid4())

        outcomes = at_once([content(uuid=uuid, thousandths=number) for number in range(200)])

        (stands,) = [it for it in outcomes if it.is_new]
        refused = [it for it in outcomes if not it.is_new]
        assert all(it.differences == ["thousandths"] for it in refused)
        assert {it.stored.thousandths for it in refused} == {stands.stored.thousandths}
        assert totals() == {(1, "A", "2026-01-31"): (1, stands.stored.thousandths)}

    def test_of_200_threads_with_their_own_counts_all(self):
        outcomes = at_once([content(customer_id=number % 3) for number in range(200)])

        assert all(it.is_new for it in outcomes)
        assert sum(messages for messages, _ in totals().values()) == 200
        assert ledger.differences() == []

    def test_beside_batches_of_the_same_messages_counts_each_once(self):
        messages = [content(customer_id=number % 5) for number in range(300)]
        with ThreadPoolExecutor(12) as threads:
            batches = [
                threads.submit(record_messages, order)
                for order in (messages, messages[::-1], messages[150:] + messages[:150])
            ]
            singles = list(threads.map(record_message, messages))

        outcomes = singles + [it for batch in batches for it in batch.result()]
        assert sum(it.is_new for it in outcomes) == 300
        assert not any(it.differences for it in outcomes)
        assert ledger.differences() == []


class TestTheStore:
    @pytest.mark.parametrize(
        "total", [{"messages": 0}, {"messages": -1}, {"amount_thousandths": -1}]
    )
    def test_refuses_a_total_that_cannot_be(self, total):
        fields = {"messages": 1, "amount_thousandths": 0} | total

        with pytest.raises(IntegrityError):
            DailyTotal.objects.create(customer_id=1, type="A", day=NOON.date(), **fields)

    def test_refuses_two_totals_of_a_day(self):
        record_messages([content()])

        with pytest.raises(IntegrityError):
            DailyTotal.objects.create(
                customer_id=1, type="A", day=NOON.date(), messages=1, amount_thousandths=0
            )

    @pytest.mark.parametrize("thousandths", [-1, 10**12])
    def test_refuses_an_amount_out_of_range_and_counts_nothing(self, thousandths):
        with pytest.raises(IntegrityError):
            record_messages([content(), content(thousandths=thousandths)])

        assert not Message.objects.exists()
        assert totals() == {}
        assert connection.get_autocommit()
