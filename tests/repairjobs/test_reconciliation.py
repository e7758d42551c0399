from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from common.time_budget import unlimited
from repairjobs import scheduled
from repairjobs.models import ClientJob, Job
from repairjobs.services import parts
from repairjobs.services.reconciliation import differences
from tests.deadlines import after
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory
from tests.support.repairjobs.statements import interrupted

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])

# The look at the rows of jobs that we know.
LOOK = r"^SELECT.*FROM Jobs WHERE Jobs.Job_id IN \("


@pytest.fixture(autouse=True)
def _opened_job(live, settings):
    settings.COLLECT_SECONDS = settings.FOLLOW_SECONDS = 0  # no pause between two looks
    driver.open_job(1)


def finish_all_work():
    driver.import_jobs()
    driver.run_outbox()


def printed_differences():
    output = StringIO()
    with pytest.raises(CommandError):
        call_command("reconcile_jobs", stdout=output)
    return output.getvalue().splitlines()


def test_there_is_no_difference_when_all_work_is_done():
    output = StringIO()

    call_command("reconcile_jobs", stdout=output, stderr=StringIO())

    assert "No differences" in output.getvalue()


def test_a_status_that_was_not_synced_is_printed():
    driver.set_client_status(1, "IN PROGRESS")

    assert printed_differences() == ["job 00001: IN PROGRESS at the client, OPENED here"]


def test_the_command_leaves_out_differences_that_disappear_meanwhile():
    ClientJobFactory(job_id=2)
    ClientJob.objects.filter(job_id=1).delete()

    with interrupted("client", LOOK, finish_all_work, nth=2):
        lines = printed_differences()

    assert lines == ["job 00001: the client has no row"]


def test_the_scheduled_job_leaves_out_differences_that_disappear_meanwhile():
    ClientJobFactory(job_id=2)
    driver.import_jobs()
    ClientJob.objects.filter(job_id=1).delete()

    with interrupted("client", LOOK, driver.run_outbox, nth=2):
        counts = scheduled.reconcile_jobs(at=timezone.now(), has_time_left=unlimited)

    assert counts == {"compared": 2, "different": 1}


def test_a_deleted_row_is_printed():
    ClientJob.objects.all().delete()

    assert printed_differences() == ["job 00001: the client has no row"]


def test_a_comparison_out_of_time_covers_the_jobs_where_it_began(monkeypatch):
    monkeypatch.setattr("repairjobs.models.jobs.BATCH_SIZE", 1)
    ClientJobFactory.create_batch(2)
    finish_all_work()
    ClientJob.objects.all().delete()
    last_job = Job.objects.order_by("pk").last()

    problems = differences(progress=str, start=last_job.pk, has_time_left=after(1))

    assert [str(problem) for problem in problems] == [f"{last_job}: the client has no row"]


def test_a_row_that_was_not_imported_is_printed():
    ClientJobFactory(job_id=2)

    assert printed_differences() == ["job 00002: NEW at the client, not imported"]


def test_an_outdated_document_and_its_pending_task_are_printed():
    parts.add_part(job_id=1, part_number="P", name="Pump", quantity=1, at=NOON)

    assert printed_differences() == [
        "job 00001: the document is outdated",
        "job 00001: document task not done, attempts: 0",
    ]
