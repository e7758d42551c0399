from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection

from stats.models import DailyTotal, Message
from stats.services.recording import record_message, record_messages
from stats.services.verification import find_differences
from tests.stats.factories import NOON, message_data

pytestmark = pytest.mark.django_db(transaction=True)


def totals():
    rows = DailyTotal.objects.values_list(
        "customer_id", "type", "day", "messages", "amount_thousandths"
    )
    return {(customer, type, str(day)): (count, sum) for customer, type, day, count, sum in rows}


def record_at_once(messages):
    """Record each message in a thread of its own. All threads start together."""
    start = Barrier(len(messages))

    def record(message):
        start.wait()
        return record_message(message)

    with ThreadPoolExecutor(len(messages)) as threads:
        return list(threads.map(record, messages))


class TestRecordMessages:
    def test_messages_are_counted_by_customer_type_and_day(self):
        record_messages(
            [
                message_data(),
                message_data(amount_thousandths=1),
                message_data(type="B"),
                message_data(customer_id=2),
                message_data(timestamp=NOON + timedelta(days=1)),
            ]
        )

        assert totals() == {
            (1, "A", "2026-01-31"): (2, 13),
            (1, "A", "2026-02-01"): (1, 12),
            (1, "B", "2026-01-31"): (1, 12),
            (2, "A", "2026-01-31"): (1, 12),
        }

    def test_recording_no_messages_does_nothing(self):
        assert record_messages([]) == []

    def test_new_messages_are_added_to_existing_totals(self):
        record_messages([message_data()])
        record_messages([message_data()])

        assert totals() == {(1, "A", "2026-01-31"): (2, 24)}

    def test_outcomes_tell_new_known_and_conflicting_messages_apart(self):
        known = message_data()
        record_messages([known])

        outcomes = record_messages(
            [message_data(), known, known._replace(amount_thousandths=13, type="B", customer_id=2)]
        )

        assert [outcome.is_new for outcome in outcomes] == [True, False, False]
        assert [outcome.conflicts for outcome in outcomes] == [
            [],
            [],
            ["customer_id", "type", "amount_thousandths"],
        ]
        assert [outcome.stored.uuid for outcome in outcomes[1:]] == [known.uuid, known.uuid]
        assert totals() == {(1, "A", "2026-01-31"): (2, 24)}

    def test_first_message_of_a_uuid_is_stored_within_one_call(self):
        first = message_data()

        outcomes = record_messages([first, first, first._replace(amount_thousandths=13)])

        assert [outcome.is_new for outcome in outcomes] == [True, False, False]
        assert [outcome.conflicts for outcome in outcomes] == [[], [], ["amount_thousandths"]]
        assert totals() == {(1, "A", "2026-01-31"): (1, 12)}

    def test_timestamp_is_compared_only_if_the_sender_gave_it(self):
        first = message_data()
        later = first._replace(timestamp=NOON + timedelta(seconds=1))

        outcomes = record_messages([first, later, later._replace(has_sender_timestamp=True)])

        assert [outcome.conflicts for outcome in outcomes] == [[], [], ["timestamp"]]

    @pytest.mark.parametrize(
        "timestamp",
        [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2026, 2, 1, tzinfo=UTC),
        ],
    )
    def test_timestamp_is_stored_to_the_microsecond_and_counted_on_its_day(self, timestamp):
        message = message_data(timestamp=timestamp, has_sender_timestamp=True)
        record_messages([message])

        (again,) = record_messages([message])

        assert (again.stored, again.conflicts) == (message, [])
        assert list(totals()) == [(1, "A", str(timestamp.date()))]

    @pytest.mark.parametrize("type", ["", " ", '"', "\\", "{,}", "null", "%s", "\t\n", "é", "🙂"])
    def test_every_type_is_stored_unchanged(self, type):
        record_messages([message_data(type=type), message_data(type="other")])

        assert sorted(Message.objects.values_list("type", flat=True)) == sorted([type, "other"])
        assert find_differences() == []

    def test_largest_numbers_are_stored_and_added_exactly(self):
        numbers = {"customer_id": -(2**63), "amount_thousandths": 10**12 - 1}
        record_messages([message_data(**numbers), message_data(**numbers)])

        assert totals() == {(-(2**63), "A", "2026-01-31"): (2, 2 * (10**12 - 1))}


class TestRecordMessage:
    def test_same_message_from_200_threads_is_counted_once(self):
        message = message_data()

        outcomes = record_at_once([message] * 200)

        assert sorted(outcome.is_new for outcome in outcomes) == [False] * 199 + [True]
        assert not any(outcome.conflicts for outcome in outcomes)
        assert totals() == {(1, "A", "2026-01-31"): (1, 12)}

    def test_one_of_200_conflicting_messages_is_stored(self):
        uuid = str(uuid4())

        outcomes = record_at_once(
            [message_data(uuid=uuid, amount_thousandths=number) for number in range(200)]
        )

        (new,) = [outcome for outcome in outcomes if outcome.is_new]
        others = [outcome for outcome in outcomes if not outcome.is_new]
        assert all(outcome.conflicts == ["amount_thousandths"] for outcome in others)
        assert {outcome.stored.amount_thousandths for outcome in others} == {
            new.stored.amount_thousandths
        }
        assert totals() == {(1, "A", "2026-01-31"): (1, new.stored.amount_thousandths)}

    def test_different_messages_from_200_threads_are_all_counted(self):
        outcomes = record_at_once([message_data(customer_id=number % 3) for number in range(200)])

        assert all(outcome.is_new for outcome in outcomes)
        assert sum(messages for messages, _ in totals().values()) == 200
        assert find_differences() == []

    def test_messages_sent_alone_and_in_batches_at_once_are_counted_once(self):
        messages = [message_data(customer_id=number % 5) for number in range(300)]
        with ThreadPoolExecutor(12) as threads:
            batches = [
                threads.submit(record_messages, order)
                for order in (messages, messages[::-1], messages[150:] + messages[:150])
            ]
            singles = list(threads.map(record_message, messages))

        outcomes = singles + [outcome for batch in batches for outcome in batch.result()]
        assert sum(outcome.is_new for outcome in outcomes) == 300
        assert not any(outcome.conflicts for outcome in outcomes)
        assert find_differences() == []


class TestConstraints:
    @pytest.mark.parametrize(
        "total", [{"messages": 0}, {"messages": -1}, {"amount_thousandths": -1}]
    )
    def test_database_rejects_an_impossible_total(self, total):
        fields = {"messages": 1, "amount_thousandths": 0} | total

        with pytest.raises(IntegrityError):
            DailyTotal.objects.create(customer_id=1, type="A", day=NOON.date(), **fields)

    def test_database_rejects_a_second_total_of_a_day(self):
        record_messages([message_data()])

        with pytest.raises(IntegrityError):
            DailyTotal.objects.create(
                customer_id=1, type="A", day=NOON.date(), messages=1, amount_thousandths=0
            )

    @pytest.mark.parametrize("amount_thousandths", [-1, 10**12])
    def test_amount_out_of_range_rolls_back_the_whole_call(self, amount_thousandths):
        with pytest.raises(IntegrityError):
            record_messages([message_data(), message_data(amount_thousandths=amount_thousandths)])

        assert not Message.objects.exists()
        assert totals() == {}
        assert connection.get_autocommit()
