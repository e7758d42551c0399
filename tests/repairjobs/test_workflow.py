"""The workflow of a job: from OPENED to CLOSED, in any order of work and payment."""

import pytest

from repairjobs.models import Job, OutboxTask, Sms
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import ClientJobFactory

pytestmark = [
    pytest.mark.django_db(databases=["repairjobs", "client"]),
    pytest.mark.usefixtures("live"),
]


def assert_job_is_closed(vonage):
    assert driver.statuses_of(1) == ("CLOSED", "CLOSED", "CLOSED")
    assert driver.sms_of(1) == [("courtesy", "accepted"), ("feedback", "accepted")]
    assert len(vonage.accepted) == 2
    notes = driver.ledger_of(1)
    assert notes.count("PUT Job_status OPENED") == notes.count("PUT Job_status CLOSED") == 1
    assert notes[-2:] == ["EVENT feedback SMS accepted", "PUT Job_status CLOSED"]
    assert Sms.objects.count() == 2
    assert not OutboxTask.objects.exists()


def test_payment_of_a_completed_job_closes_it(vonage):
    driver.open_job(1)
    driver.set_client_status(1, "JOB COMPLETED")
    driver.sync_jobs()
    driver.run_outbox()
    assert len(vonage.accepted) == 1

    driver.pay(1)
    driver.run_outbox()

    assert_job_is_closed(vonage)


def test_completion_of_a_paid_job_closes_it(vonage):
    driver.open_job(1)
    driver.pay(1)
    driver.run_outbox()
    assert len(vonage.accepted) == 1

    driver.set_client_status(1, "job completed")
    driver.sync_jobs()
    driver.run_outbox()

    assert_job_is_closed(vonage)


def test_a_job_that_was_paid_before_it_was_opened_is_closed_on_completion(vonage):
    ClientJobFactory(job_id=1)
    driver.import_jobs()
    driver.pay(1)
    driver.run_outbox()
    driver.set_client_status(1, "JOB COMPLETED")
    driver.sync_jobs()
    driver.run_outbox()

    assert_job_is_closed(vonage)


def test_a_closed_job_is_not_closed_again(vonage):
    driver.close_job(1)
    notes_before = driver.ledger_of(1)

    driver.import_jobs()
    driver.sync_jobs()
    driver.run_outbox()

    assert driver.ledger_of(1) == notes_before
    assert len(vonage.accepted) == 2


def test_a_job_closed_by_the_client_waits_for_its_payment_and_is_not_written(vonage):
    driver.open_job(1)
    driver.set_client_status(1, "CLOSED")
    driver.sync_jobs()
    assert driver.attention_of(1) == ["closed by the client without a payment"]

    driver.pay(1)
    driver.run_outbox()

    assert driver.attention_of(1) == []
    assert len(vonage.accepted) == 2
    assert "PUT Job_status CLOSED" not in driver.ledger_of(1)
    assert Job.objects.get(pk=1).closed_at


def test_closing_waits_while_the_client_goes_back_to_work():
    driver.open_job(1)
    driver.set_client_status(1, "JOB COMPLETED")
    driver.sync_jobs()
    driver.pay(1)
    driver.set_client_status(1, "IN PROGRESS")
    driver.run_outbox()
    assert driver.statuses_of(1) == ("IN PROGRESS", "IN PROGRESS", "IN PROGRESS")

    driver.set_client_status(1, "JOB COMPLETED")
    driver.sync_jobs()
    driver.run_outbox()

    assert driver.statuses_of(1) == ("CLOSED", "CLOSED", "CLOSED")
    assert len(driver.sms_of(1)) == 2


def test_a_payment_is_written_as_the_clients_own_status_for_paid(settings):
    settings.CLIENT_PAID_STATUS = "Paid"
    driver.open_job(1)
    driver.pay(1)
    driver.run_outbox()
    assert driver.statuses_of(1) == ("PAID", "OPENED", "OPENED")
    driver.sync_jobs()
    assert driver.ledger_of(1)[-1] == "PUT Job_status PAID"

    driver.set_client_status(1, "JOB COMPLETED")
    driver.sync_jobs()
    driver.run_outbox()

    assert driver.statuses_of(1) == ("CLOSED", "CLOSED", "CLOSED")
    assert driver.ledger_of(1).count("PUT Job_status PAID") == 1
