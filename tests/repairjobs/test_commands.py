from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from repairjobs.models import ClientJob, Job, OutboxTask
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import ClientJobFactory

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])


def run_command(*arguments):
    output = StringIO()
    call_command(*arguments, stdout=output, stderr=StringIO())
    return output.getvalue()


class TestAdoptJobs:
    @pytest.fixture(autouse=True)
    def _held_jobs(self):
        ClientJobFactory.create_batch(21)
        driver.import_jobs()

    @pytest.mark.parametrize(("option", "sms_tasks"), [("--text", 21), ("--silent", 0)])
    def test_adopt_jobs_releases_all_jobs_on_hold(self, option, sms_tasks):
        assert "Released 21 jobs" in run_command("adopt_jobs", option)
        assert "Released 0 jobs" in run_command("adopt_jobs", option)

        assert OutboxTask.objects.filter(kind="sms").count() == sms_tasks
        assert not Job.objects.filter(is_on_hold=True).exists()

    def test_a_dry_run_only_tells_how_many_jobs_would_be_released(self):
        output = run_command("adopt_jobs", "--text", "--dry-run")

        assert "Would release 21 jobs with an SMS" in output
        assert Job.objects.on_hold().count() == 21

    def test_adopt_jobs_needs_a_decision(self):
        with pytest.raises(CommandError):
            run_command("adopt_jobs")


def test_migrate_refuses_the_clients_database():
    tables_before = connections["client"].introspection.table_names()

    with pytest.raises(CommandError, match="belongs to the client and must not be migrated"):
        run_command("migrate", "--database", "client", "--verbosity", "0")

    assert connections["client"].introspection.table_names() == tables_before
    assert "django_migrations" not in tables_before


def test_create_client_database_keeps_an_existing_table():
    ClientJobFactory()

    assert "already exists" in run_command("create_client_database")
    assert ClientJob.objects.count() == 1
