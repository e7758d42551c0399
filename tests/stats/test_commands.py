from io import StringIO
from threading import Event, Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.models import F

from stats.models import DailyTotal, Message
from stats.services.recording import record_messages
from tests.stats.factories import NOON, message_data

pytestmark = pytest.mark.django_db(transaction=True)


def run(name, **options):
    """Return what the command printed, and whether it failed."""
    output = StringIO()
    try:
        call_command(name, stdout=output, stderr=output, **options)
    except CommandError as error:
        return f"{output.getvalue()}{error}", True
    return output.getvalue(), False


class TestVerifyStats:
    def test_verify_stats_finds_no_difference_after_recording(self):
        record_messages([message_data(), message_data(type=""), message_data(customer_id=2)])

        assert run("verify_stats") == ("No difference\n", False)

    def test_verify_stats_prints_and_repairs_every_difference(self):
        record_messages([message_data(), message_data(type="B"), message_data(customer_id=2)])
        DailyTotal.objects.filter(customer_id=2).delete()
        DailyTotal.objects.filter(type="B").update(amount_thousandths=F("amount_thousandths") + 1)
        DailyTotal.objects.create(
            customer_id=3, type="A", day=NOON.date(), messages=5, amount_thousandths=60
        )

        printed, has_failed = run("verify_stats")
        repaired, _ = run("verify_stats", repair=True)

        assert has_failed
        assert printed.splitlines() == [
            "customer 1, type B, 2026-01-31: "
            "stored: 1 messages, amount 0.013; correct: 1 messages, amount 0.012",
            "customer 2, type A, 2026-01-31: "
            "stored: 0 messages, amount 0.000; correct: 1 messages, amount 0.012",
            "customer 3, type A, 2026-01-31: "
            "stored: 5 messages, amount 0.060; correct: 0 messages, amount 0.000",
            "3 differences. Use --repair to correct them.",
        ]
        assert repaired.endswith("Repaired 3 totals\n")
        assert run("verify_stats") == ("No difference\n", False)
        assert DailyTotal.objects.count() == 3

    def test_verify_stats_is_right_while_messages_are_recorded(self):
        record_messages([message_data()])
        DailyTotal.objects.update(messages=F("messages") + 1)
        stop, has_started = Event(), Event()

        def record():
            while not stop.is_set():
                record_messages([message_data(customer_id=number) for number in range(5)])
                has_started.set()
            connections.close_all()

        recorder = Thread(target=record)
        recorder.start()
        try:
            assert has_started.wait(30)
            counts = [run("verify_stats")[0].count("customer") for _ in range(5)]
            repaired, _ = run("verify_stats", repair=True)
            outputs_after = [run("verify_stats") for _ in range(5)]
        finally:
            stop.set()
            recorder.join()

        assert counts == [1] * 5
        assert "Repaired 1 totals" in repaired
        assert outputs_after == [("No difference\n", False)] * 5


class TestSeedMessages:
    def test_seed_messages_fills_only_an_empty_database(self, monkeypatch):
        monkeypatch.setattr("stats.management.commands.seed_messages.DEFAULT_COUNT", 50)

        first, second = run("seed_messages"), run("seed_messages")

        assert first == ("Seeded 50 messages\n", False)
        assert second == ("Seeded 0 messages\n", False)
        assert run("verify_stats") == ("No difference\n", False)

    def test_seed_messages_adds_the_given_number_to_existing_messages(self):
        record_messages([message_data()])

        assert run("seed_messages", messages=25_000) == ("Seeded 25000 messages\n", False)
        assert Message.objects.count() == 25_001

    def test_seed_messages_makes_plausible_messages_of_a_year(self):
        run("seed_messages", messages=5_000, seed=1)

        customers = Message.objects.values_list("customer_id", flat=True)
        days = Message.objects.dates("timestamp", "day")
        assert sum(1 for customer_id in customers if customer_id <= 20) > 1_500
        assert len(set(customers)) > 500
        assert len(days) > 350
