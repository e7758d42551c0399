from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from common.http_client import RemoteServiceUnavailable
from config.celery import app
from dashboard.management.commands import verify_dashboard
from dashboard.models import Event, Ingestion
from tests.dashboard.fake_provider import event, respond_with

pytestmark = pytest.mark.django_db(databases=["dashboard"])


def run(name, **options):
    out = StringIO()
    call_command(name, stdout=out, **options)
    return out.getvalue()


class TestIngestEventsCommand:
    def test_command_prints_how_many_events_were_stored_and_rejected(self, provider):
        provider.add(event(1), event(2), event(3) | {"rpg_status": 0})

        assert "Stored 2 events. 0 were stored before. 1 were rejected." in run("ingest_events")
        assert Ingestion.objects.current().watermark is not None

    def test_command_backfills_whole_days(self, provider):
        provider.add(
            event(1, at="2020-01-01T23:59:59.999999Z"),
            event(2, at="2020-01-02T00:00:00Z"),
            event(3, at="2020-01-03T23:59:59.999999Z"),
            event(4, at="2020-01-04T00:00:00Z"),
        )

        call_command("ingest_events", "--since", "2020-01-02", "--until", "2020-01-03")

        assert set(Event.objects.values_list("id", flat=True)) == {2, 3}

    def test_command_rejects_an_interval_whose_end_is_before_its_start(self):
        with pytest.raises(CommandError, match="--since must not be after --until"):
            call_command("ingest_events", "--since", "2020-01-02", "--until", "2020-01-01")

    def test_command_rejects_an_invalid_date(self):
        with pytest.raises(CommandError, match="'soon' is not an ISO 8601 date or datetime"):
            call_command("ingest_events", "--since", "soon")

    def test_command_fails_if_the_provider_is_unavailable(self, provider):
        provider.faults = [respond_with(503)]

        with pytest.raises(CommandError, match="answered 503"):
            run("ingest_events")

    def test_command_fails_while_another_run_is_in_progress(self, provider, settings):
        Ingestion.objects.acquire_lease(settings.INGEST_LEASE)

        with pytest.raises(CommandError, match="Another run is in progress"):
            run("ingest_events")


class TestVerifyDashboardCommand:
    def test_command_finds_no_difference_after_a_run(self, provider):
        provider.add(event(1), event(2, status=2))
        run("ingest_events")

        assert "No differences" in run("verify_dashboard")

    def test_command_prints_every_difference_that_remains(self, provider, settings, capsys):
        settings.INGEST_SECONDS = 0
        provider.add(event(1))

        out = StringIO()
        with pytest.raises(CommandError, match="2 differences"):
            call_command("verify_dashboard", stdout=out)

        assert out.getvalue().splitlines() == [
            "hotel 1: bookings of 2020-01-10 by night_of_stay: provider 1, dashboard 0",
            "hotel 1: bookings of 2020-01-01 by timestamp: provider 1, dashboard 0",
        ]

    def test_command_compares_again_after_the_next_ingestion(self, provider, settings, monkeypatch):
        settings.INGEST_SECONDS = 0
        provider.add(event(1))
        # Only in this module: threads of other libraries sleep too.
        monkeypatch.setattr(verify_dashboard, "sleep", lambda seconds: run("ingest_events"))

        assert "No differences" in run("verify_dashboard")


@pytest.fixture
def run_task():
    app.loader.import_default_modules()
    # Finalizing configures logging again, which would remove the handler of caplog.
    app.finalize()

    def run_task(name):
        app.tasks[name]()

    return run_task


class TestIngestEventsTask:
    def test_task_logs_one_line_about_a_run(self, run_task, provider, caplog):
        caplog.set_level("INFO")
        provider.add(event(1))

        run_task("dashboard.ingest_events")

        assert [record.message for record in caplog.records] == [
            "ingest_events: stored=1 known=0 rejected=0 already_running=False"
        ]

    def test_task_logs_one_line_about_a_failure_and_fails(self, run_task, provider, caplog):
        provider.faults = [respond_with(503)]

        with pytest.raises(RemoteServiceUnavailable):
            run_task("dashboard.ingest_events")

        assert [record.message for record in caplog.records] == [
            "ingest_events stopped, the next run continues: "
            "GET http://provider.test/events answered 503 {}"
        ]

    def test_task_logs_nothing_if_there_is_no_new_event(self, run_task, provider, caplog):
        provider.add(event(1))
        run_task("dashboard.ingest_events")
        caplog.set_level("INFO")
        caplog.clear()

        run_task("dashboard.ingest_events")

        assert caplog.records == []
