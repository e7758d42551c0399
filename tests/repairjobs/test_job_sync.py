import pytest

from repairjobs.integrations.documents import document_store
from repairjobs.models import ClientJob, Job
from repairjobs.services import job_sync
from tests.deadlines import after
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory

pytestmark = [
    pytest.mark.django_db(databases=["repairjobs", "client"]),
    pytest.mark.usefixtures("live"),
]


def test_a_status_of_the_client_reaches_ledger_and_document():
    driver.open_job(1)
    driver.set_client_status(1, " in  progress ")

    assert driver.sync_jobs() == 1
    assert driver.sync_jobs() == 0
    driver.run_outbox()

    assert driver.statuses_of(1)[1:] == ("IN PROGRESS", "IN PROGRESS")
    assert driver.ledger_of(1)[-1] == "GET Job_status IN PROGRESS"


def test_a_skipped_status_is_noted_in_the_ledger():
    driver.open_job(1)
    driver.set_client_status(1, "JOB COMPLETED")

    driver.sync_jobs()

    assert driver.ledger_of(1)[-1] == "GET Job_status JOB COMPLETED (IN PROGRESS skipped)"


def test_a_job_that_goes_back_to_new_is_opened_again_without_a_second_sms():
    driver.open_job(1)
    driver.set_client_status(1, "NEW")

    driver.sync_jobs()
    driver.run_outbox()

    assert "GET Job_status NEW (back from OPENED)" in driver.ledger_of(1)
    assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
    assert len(driver.sms_of(1)) == 1


@pytest.mark.parametrize(
    "status",
    ["ON HOLD", None, "x" * 255, "ß" * 255],
    ids=["on hold", "null", "255 letters", "255 letters that double as capitals"],
)
def test_an_unknown_status_is_flagged_once(status):
    driver.open_job(1)
    driver.set_client_status(1, status)

    driver.sync_jobs()
    driver.sync_jobs()

    assert "is unknown" in driver.attention_of(1)[0]
    assert len(driver.ledger_of(1)) == 4


def test_changed_customer_fields_reach_the_document_and_the_ledger_only_names_them():
    driver.open_job(1)
    ClientJob.objects.filter(pk=1).update(mobile="07700 900456", lastname=None)

    driver.sync_jobs()
    driver.run_outbox()

    assert driver.ledger_of(1)[-1] == "GET Client_lastname, Client_mobile changed"
    customer = document_store().get("00001")["customer"][0]
    assert (customer["client_mobile"], customer["client_lastname"]) == ("07700 900456", "")


def test_a_deleted_row_is_flagged_until_it_is_back():
    driver.open_job(1)
    ClientJob.objects.all().delete()
    driver.sync_jobs()
    driver.sync_jobs()
    assert driver.attention_of(1) == ["the client deleted the row"]

    ClientJobFactory(job_id=1, status="IN PROGRESS")
    driver.sync_jobs()

    assert driver.attention_of(1) == []
    assert driver.ledger_of(1)[-2:] == [
        "GET row not found",
        "GET row found again; Job_status IN PROGRESS",
    ]


def test_a_row_that_was_deleted_before_opening_is_opened_when_it_is_back():
    ClientJobFactory(job_id=1)
    driver.import_jobs()
    ClientJob.objects.all().delete()
    driver.run_outbox()
    assert "the client deleted the row" in driver.attention_of(1)

    ClientJobFactory(job_id=1)
    driver.sync_jobs()
    driver.run_outbox()

    assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
    assert driver.ledger_of(1).count("PUT Job_status OPENED") == 1


def test_more_jobs_than_a_batch_are_synced_in_one_run(monkeypatch):
    monkeypatch.setattr("repairjobs.models.jobs.BATCH_SIZE", 3)
    ClientJobFactory.create_batch(10)
    driver.import_jobs()
    ClientJob.objects.update(status="IN PROGRESS")

    assert driver.sync_jobs() == 10


def test_syncs_out_of_time_reach_every_job_from_different_starts(monkeypatch):
    monkeypatch.setattr("repairjobs.models.jobs.BATCH_SIZE", 3)
    ids = [row.job_id for row in ClientJobFactory.create_batch(10)]
    driver.import_jobs()
    ClientJob.objects.update(status="IN PROGRESS")

    for start in ids:
        job_sync.sync_jobs(at=NOON, start=start, has_time_left=after(1))

    assert Job.objects.filter(status="IN PROGRESS").count() == 10


def test_a_random_id_lies_between_the_ids_of_the_jobs():
    assert isinstance(Job.objects.none().random_id(), int)
    ids = {row.job_id for row in ClientJobFactory.create_batch(3)}
    driver.import_jobs()

    assert {Job.objects.all().random_id() for _ in range(100)} == ids


def test_a_row_that_was_read_before_our_write_does_not_undo_it(job):
    earlier_job, earlier_row = Job.objects.get(), ClientJob.objects.get()
    driver.run_outbox()

    assert job_sync._sync_job(earlier_job, earlier_row, at=NOON) is False
    assert Job.objects.get().status == "OPENED"
