from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from config.celery import app
from dashboard.integrations.data_provider import ProviderUnavailable
from dashboard.management.commands import verify_dashboard
from dashboard.models import Event, Ingestion
from tests.dashboard.fake_provider import event

pytestmark = pytest.mark.django_db(databases=["dashboard"])


def run(name, **options):
    out = StringIO()
    call_command(name, stdout=out, **options)
    return out.getvalue()


def away(good):
    return 503, {}, "{}"


class TestIngestEventsCommand:
    def test_says_what_it_did(self, provider):
        provider.add(event(1), event(2), event(3) | {"rpg_status": 0})

        assert "Stored 2 events; known before 0, put aside 1" in run("ingest_events")
        assert Ingestion.objects.current().watermark is not None

    def test_backfills_whole_days(self, provider):
        provider.add(
            event(1, at="2020-01-01T23:59:59.999999Z"),
            event(2, at="2020-01-02T00:00:00Z"),
            event(3, at="2020-01-03T23:59:59.999999Z"),
            event(4, at="2020-01-04T00:00:00Z"),
        )

        call_command("ingest_events", "--since", "2020-01-02", "--until", "2020-01-03")

        assert set(Event.objects.values_list("id", flat=True)) == {2, 3}

    def test_refuses_an_interval_that_holds_nothing(self):
        with pytest.raises(CommandError, match="--since is after --until"):
            call_command("ingest_events", "--since", "2020-01-02", "--until", "2020-01-01")

    def test_refuses_what_is_no_date(self):
        with pytest.raises(CommandError, match="'soon' is no ISO 8601 date or datetime"):
            call_command("ingest_events", "--since", "soon")

    def test_says_that_the_provider_is_away(self, provider):
        provider.faults = [away]

        with pytest.raises(CommandError, match="answered 503"):
            run("ingest_events")

    def test_says_that_another_run_is_at_work(self, provider, settings):
        Ingestion.objects.lease(settings.INGEST_LEASE)

        with pytest.raises(CommandError, match="Another run is at work"):
            run("ingest_events")


class TestVerifyDashboardCommand:
    def test_prints_no_difference(self, provider):
        provider.add(event(1), event(2, status=2))
        run("ingest_events")

        assert "No difference" in run("verify_dashboard")

    def test_prints_every_difference_that_stays(self, provider, settings, capsys):
        settings.INGEST_SECONDS = 0
        provider.add(event(1))

        out = StringIO()
        with pytest.raises(CommandError, match="2 differences"):
            call_command("verify_dashboard", stdout=out)

        assert out.getvalue().splitlines() == [
            "hotel 1: bookings of 2020-01-10 by night_of_stay: provider 1, dashboard 0",
            "hotel 1: bookings of 2020-01-01 by timestamp: provider 1, dashboard 0",
        ]

    def test_looks_again_before_it_complains(self, provider, settings, monkeypatch):
        settings.INGEST_SECONDS = 0
        provider.add(event(1))
        monkeypatch.setattr(verify_dashboard, "sleep", lambda seconds: run("ingest_events"))

        assert "No difference" in run("verify_dashboard")


def run_task(name):
    app.loader.import_default_modules()
    app.tasks[name]()


class TestIngestEventsTask:
    def test_logs_one_line_a_run(self, provider, caplog):
        caplog.set_level("INFO")
        provider.add(event(1))

        run_task("dashboard.ingest_events")

        assert [record.message for record in caplog.records] == [
            "ingest_events: stored=1 known=0 rejected=0 already_running=False"
        ]

    def test_logs_one_line_about_a_failure_and_fails(self, provider, caplog):
        provider.faults = [away]

        with pytest.raises(ProviderUnavailable):
            run_task("dashboard.ingest_events")

        assert [record.message for record in caplog.records] == [
            "ingest_events stopped, the next run continues: "
            "GET http://provider.test/events answered 503"
        ]
