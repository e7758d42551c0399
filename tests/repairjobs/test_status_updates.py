"""Statuses that we write to the client."""

import pytest
from django.db import DataError

from repairjobs.models import ClientJob, OutboxKind, OutboxTask
from repairjobs.services.outbox.base import TaskKind
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.crash_injection import Killed, crashing
from tests.support.repairjobs.statements import failing, interrupted, unavailable

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])

WRITE = "UPDATE Jobs SET Job_status"


def client_is_faster(status):
    """Let the client set a status right before our first write of a status."""
    return interrupted("client", WRITE, lambda: driver.set_client_status(1, status))


@pytest.mark.parametrize("status", ["IN PROGRESS", "JOB COMPLETED", "ON HOLD", None])
def test_a_status_that_the_client_has_just_set_is_not_overwritten(job, status):
    with client_is_faster(status):
        driver.run_outbox()

    assert ClientJob.objects.get().status == status
    assert "PUT Job_status OPENED" not in driver.ledger_of(1)
    assert driver.statuses_of(1)[1] == (status or "")


def test_closing_gives_way_if_the_client_goes_back_to_work_at_that_moment(job):
    driver.run_outbox()
    driver.set_client_status(1, "JOB COMPLETED")
    driver.sync_jobs()
    driver.pay(1)
    with client_is_faster("IN PROGRESS"):
        driver.run_outbox()
    assert driver.statuses_of(1) == ("IN PROGRESS", "IN PROGRESS", "IN PROGRESS")

    driver.set_client_status(1, "JOB COMPLETED")
    driver.sync_jobs()
    driver.run_outbox()

    assert driver.statuses_of(1) == ("CLOSED", "CLOSED", "CLOSED")


def test_an_unavailable_client_uses_up_no_attempts(job):
    with unavailable("client"):
        for _ in range(TaskKind.max_attempts + 3):
            driver.run_outbox()
            driver.let_time_pass(hours=1)
    with failing("client", "^SELECT", DataError("out of range")):
        driver.run_outbox()
        driver.let_time_pass(hours=1)
    assert not OutboxTask.objects.dead_letters().exists()

    driver.run_outbox()

    assert driver.statuses_of(1)[0] == "OPENED"


def test_our_own_write_is_not_mistaken_for_a_change_by_the_client(job):
    with crashing("after the write to the client"), pytest.raises(Killed):
        driver.run_outbox()

    assert driver.sync_jobs() == 0
    driver.let_time_pass(hours=1)
    driver.run_outbox()

    assert driver.ledger_of(1).count("PUT Job_status OPENED") == 1
    assert not [note for note in driver.ledger_of(1) if note.startswith("GET Job_status")]


def test_a_write_is_recorded_although_the_client_moved_on_meanwhile(job):
    with crashing("after the write to the client"), pytest.raises(Killed):
        driver.run_outbox()
    driver.set_client_status(1, "IN PROGRESS")

    assert driver.sync_jobs() == 0
    driver.let_time_pass(hours=1)
    driver.run_outbox()
    driver.sync_jobs()

    assert driver.ledger_of(1)[-2:] == ["PUT Job_status OPENED", "GET Job_status IN PROGRESS"]
    assert driver.statuses_of(1)[1] == "IN PROGRESS"


def test_a_job_with_a_dead_status_update_is_still_synced(job):
    with crashing("before the write to the client"), pytest.raises(Killed):
        driver.run_outbox()
    OutboxTask.objects.filter(kind=OutboxKind.STATUS).update(due_at=None)
    driver.set_client_status(1, "IN PROGRESS")

    assert driver.sync_jobs() == 1
