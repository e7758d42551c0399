"""Outbox tasks that write documents."""

import pytest
from django.db import DataError, OperationalError
from django.utils import timezone

from repairjobs.integrations.documents import document_store
from repairjobs.models import OutboxKind, OutboxTask
from repairjobs.services import parts
from repairjobs.services.outbox import runner
from repairjobs.services.outbox.base import TaskKind
from repairjobs.services.outbox.document_task import DocumentTask
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory
from tests.support.repairjobs.statements import failing, interrupted

pytestmark = [
    pytest.mark.django_db(databases=["repairjobs", "client"]),
    pytest.mark.usefixtures("live"),
]

STORE = "^INSERT INTO repairjobs_jobdocument"
TOO_LONG = DataError("Data too long")
GONE = OperationalError("gone away")


def test_a_document_is_written_when_the_database_is_available_again(job):
    with failing("repairjobs", STORE, GONE):
        driver.run_outbox()
    driver.let_time_pass(hours=1)
    driver.run_outbox()

    assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")


def test_a_document_is_written_again_if_the_job_changed_meanwhile(job):
    def add_part():
        parts.add_part(job_id=1, part_number="P", name="Pump", quantity=1, at=NOON)

    with interrupted("repairjobs", STORE, add_part):
        driver.run_outbox()

    assert document_store().get("00001")["parts"][0]["name"] == "Pump"


def test_a_document_that_cannot_be_stored_becomes_a_dead_letter(job):
    with failing("repairjobs", STORE, TOO_LONG):
        for _ in range(TaskKind.max_attempts):
            driver.run_outbox()
            driver.let_time_pass(hours=1)

    task = OutboxTask.objects.dead_letters().get()
    assert task.last_error == "DataError: Data too long"


def test_a_dead_document_task_is_retried_when_the_job_changes(job):
    with failing("repairjobs", STORE, TOO_LONG):
        for _ in range(TaskKind.max_attempts):
            driver.run_outbox()
            driver.let_time_pass(hours=1)
    driver.run_outbox()
    assert OutboxTask.objects.dead_letters().exists()

    driver.set_client_status(1, "IN PROGRESS")
    driver.sync_jobs()
    driver.run_outbox()

    assert driver.statuses_of(1) == ("IN PROGRESS", "IN PROGRESS", "IN PROGRESS")
    assert not OutboxTask.objects.exists()


def test_documents_of_many_jobs_cost_four_queries_each_at_most(django_assert_max_num_queries):
    ClientJobFactory.create_batch(50)
    driver.import_jobs()

    # Four to store each document: an update, or a savepoint with an insert.
    with django_assert_max_num_queries(50 * 4 + 20, using="repairjobs"):
        assert driver.run_outbox(OutboxKind.DOCUMENT) == 50

    assert not OutboxTask.objects.filter(kind=OutboxKind.DOCUMENT).exists()


def test_a_document_that_cannot_be_stored_does_not_hold_up_the_others():
    rows = ClientJobFactory.create_batch(3)
    driver.import_jobs()
    bad_id = rows[1].job_id

    with failing("repairjobs", f"{STORE}.*'{bad_id:05}'", TOO_LONG):
        runner.run_outbox(DocumentTask, clock=timezone.now)

    task = OutboxTask.objects.get(kind=OutboxKind.DOCUMENT)
    assert (task.job_id, task.last_error) == (bad_id, "DataError: Data too long")


def test_an_outage_reschedules_all_documents_of_the_batch_that_are_not_written():
    ClientJobFactory.create_batch(3)
    driver.import_jobs()

    with failing("repairjobs", STORE, GONE, after=1):
        runner.run_outbox(DocumentTask, clock=timezone.now)

    tasks = OutboxTask.objects.filter(kind=OutboxKind.DOCUMENT)
    assert list(tasks.values_list("last_error", flat=True)) == [
        "DocumentsUnavailable: the table of documents: gone away",
        "DocumentsUnavailable: the table of documents: gone away",
    ]
