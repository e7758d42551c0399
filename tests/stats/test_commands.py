from io import StringIO
from threading import Event, Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.models import F

from stats.models import DailyTotal, Message
from stats.services.recording import record_messages
from tests.stats.factories import NOON, content

pytestmark = pytest.mark.django_db(transaction=True)


def run(name, **options):
    """What the command printed, and whether it failed."""
    output = StringIO()
    try:
        call_command(name, stdout=output, stderr=output, **options)
    except CommandError as error:
        return f"{output.getvalue()}{error}", True
    return output.getvalue(), False


class TestVerifyStats:
    def test_finds_no_difference_in_what_was_counted(self):
        record_messages([content(), content(type=""), content(customer_id=2)])

        assert run("verify_stats") == ("No difference\n", False)

    def test_prints_and_mends_every_difference(self):
        record_messages([content(), content(type="B"), content(customer_id=2)])
        DailyTotal.objects.filter(customer_id=2).delete()
        DailyTotal.objects.filter(type="B").update(amount_thousandths=F("amount_thousandths") + 1)
        DailyTotal.objects.create(
            customer_id=3, type="A", day=NOON.date(), messages=5, amount_thousandths=60
        )

        printed, has_failed = run("verify_stats")
        mended, _ = run("verify_stats", repair=True)

        assert has_failed
        assert printed.splitlines() == [
            "customer 1, type B, 2026-01-31: counted 1 and 0.013, messages 1 and 0.012",
            "customer 2, type A, 2026-01-31: counted 0 and 0.000, messages 1 and 0.012",
            "customer 3, type A, 2026-01-31: counted 5 and 0.060, messages 0 and 0.000",
            "3 differences; --repair mends them",
        ]
        assert mended.endswith("Mended 3 totals\n")
        assert run("verify_stats") == ("No difference\n", False)
        assert DailyTotal.objects.count() == 3

    def test_is_right_while_messages_are_posted(self):
        record_messages([content()])
        DailyTotal.objects.update(messages=F("messages") + 1)
        is_enough, has_begun = Event(), Event()

        def post():
            while not is_enough.is_set():
                record_messages([content(customer_id=number) for number in range(5)])
                has_begun.set()
            connections.close_all()

        poster = Thread(target=post)
        poster.start()
        try:
            assert has_begun.wait(30)
            looks = [run("verify_stats")[0].count("customer") for _ in range(5)]
            mended, _ = run("verify_stats", repair=True)
            looks_after = [run("verify_stats") for _ in range(5)]
        finally:
            is_enough.set()
            poster.join()

        assert looks == [1] * 5
        assert "Mended 1 totals" in mended
        assert looks_after == [("No difference\n", False)] * 5


class TestSeedMessages:
    def test_fills_an_empty_store_and_leaves_others_alone(self, monkeypatch):
        monkeypatch.setattr("stats.management.commands.seed_messages.A_FEW", 50)

        first, second = run("seed_messages"), run("seed_messages")

        assert first == ("Seeded 50 messages\n", False)
        assert second == ("Seeded 0 messages\n", False)
        assert run("verify_stats") == ("No difference\n", False)

    def test_adds_as_many_as_are_asked_for(self):
        record_messages([content()])

        assert run("seed_messages", messages=25_000) == ("Seeded 25000 messages\n", False)
        assert Message.objects.count() == 25_001

    def test_makes_plausible_traffic_of_a_year(self):
        run("seed_messages", messages=5_000, seed=1)

        customers = Message.objects.values_list("customer_id", flat=True)
        days = Message.objects.dates("timestamp", "day")
        assert sum(1 for it in customers if it <= 20) > 1_500
        assert len(set(customers)) > 500
        assert len(days) > 350
