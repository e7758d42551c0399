"""Going live: the first import of an empty database may put jobs on hold."""

import pytest
from django.db import OperationalError

from repairjobs.integrations.client_database import ClientUnavailable
from repairjobs.models import ClientJob, Job
from repairjobs.services import holds, job_import
from tests.deadlines import after
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory
from tests.support.repairjobs.statements import failing

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])


def test_the_customers_of_twenty_jobs_are_texted_at_once(vonage):
    ClientJobFactory.create_batch(20)

    driver.import_jobs()
    driver.run_outbox()

    assert len(vonage.accepted) == 20


def test_more_than_twenty_jobs_are_on_hold_until_a_person_decides(vonage):
    rows = ClientJobFactory.create_batch(21)

    driver.import_jobs()
    driver.import_jobs()
    driver.run_outbox()

    assert vonage.accepted == []
    assert Job.objects.filter(status="NEW").count() == 21
    assert driver.attention_of(rows[0].job_id) == [
        "on hold since going live: release the job with adopt_jobs"
    ]


def test_a_job_that_comes_after_the_held_ones_is_texted(vonage):
    ClientJobFactory.create_batch(21)
    driver.import_jobs()
    later_row = ClientJobFactory()

    driver.import_jobs()
    driver.run_outbox()

    assert driver.statuses_of(later_row.job_id)[0] == "OPENED"
    assert len(vonage.accepted) == 1


@pytest.mark.parametrize(("text", "sms_count"), [(True, 21), (False, 0)], ids=["text", "silent"])
def test_released_jobs_are_opened_and_texted_as_decided(vonage, text, sms_count):
    ClientJobFactory.create_batch(21)
    driver.import_jobs()
    holds.release_held_jobs(text=text, at=NOON)
    holds.release_held_jobs(text=text, at=NOON)

    driver.run_outbox()

    assert len(vonage.accepted) == sms_count
    assert ClientJob.objects.filter(status="OPENED").count() == 21
    assert driver.attention_of(Job.objects.first().pk) == []


def test_jobs_stay_on_hold_if_the_first_import_breaks_off(vonage, monkeypatch):
    monkeypatch.setattr(job_import, "BATCH_SIZE", 10)
    last_id = ClientJobFactory.create_batch(30)[-1].job_id
    gone = OperationalError("gone away")
    # The scan after the last row, which would complete the import, fails.
    with failing("client", rf"Job_id > .*\({last_id},\)", gone), pytest.raises(ClientUnavailable):
        driver.import_jobs()
    assert Job.objects.count() == 30
    ClientJobFactory(job_id=1_000_000)

    driver.import_jobs()
    driver.run_outbox()

    assert vonage.accepted == []


def test_jobs_are_on_hold_after_a_first_import_in_several_runs(vonage, monkeypatch):
    monkeypatch.setattr(job_import, "BATCH_SIZE", 10)
    ClientJobFactory.create_batch(30)

    for _ in range(3):
        job_import.import_new_jobs(at=NOON, has_time_left=after(1))
    driver.run_outbox()

    assert Job.objects.filter(is_on_hold=True).count() == 30
    assert vonage.accepted == []
