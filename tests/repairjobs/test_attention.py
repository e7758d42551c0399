"""Flags that a person has seen, and flags that come later."""

import pytest

from repairjobs.models import Acknowledgement, ClientJob, Job, Sms, UnknownJob
from repairjobs.services import private_messages
from repairjobs.services.acknowledgements import acknowledge
from repairjobs.services.reconciliation import differences
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory
from tests.support.repairjobs.fake_vonage import Fault

pytestmark = pytest.mark.django_db(databases="__all__")

FLAG = "the client deleted the row"


@pytest.fixture
def job_without_row(job):
    driver.run_outbox()
    ClientJob.objects.all().delete()
    driver.sync_jobs()
    assert driver.attention_of(1) == [FLAG]


def test_a_seen_flag_disappears_from_the_document(job_without_row):
    assert acknowledge(job_id=1, keys=["missing"], at=NOON) == 1
    assert acknowledge(job_id=1, keys=["missing"], at=NOON) == 0

    assert driver.attention_of(1) == []
    assert driver.ledger_of(1)[-1] == f"EVENT seen by a person: {FLAG}"
    problems = [difference.problem for difference in differences(progress=print)]
    assert not [problem for problem in problems if "document" in problem]


def test_a_flag_with_another_key_stays(job_without_row):
    assert acknowledge(job_id=1, keys=["sms 1 failed"], at=NOON) == 0
    assert driver.attention_of(1) == [FLAG]


def test_a_flag_that_comes_later_is_not_seen(job_without_row):
    acknowledge(job_id=1, keys=["missing"], at=NOON)
    Job.objects.filter(pk=1).update(is_on_hold=True)
    driver.pay(1)

    assert driver.attention_of(1) == ["on hold since going live: release the job with adopt_jobs"]


def test_a_flag_that_comes_again_is_not_seen(job_without_row):
    acknowledge(job_id=1, keys=["missing"], at=NOON)
    ClientJobFactory(job_id=1, status="OPENED")
    driver.sync_jobs()
    assert not Acknowledgement.objects.exists()

    ClientJob.objects.all().delete()
    driver.sync_jobs()

    assert driver.attention_of(1) == [FLAG]


def test_seeing_the_flag_of_one_sms_does_not_hide_that_of_the_next(job, vonage):
    vonage.fail(None, Fault.INVALID, Fault.INVALID)
    driver.run_outbox()
    private_messages.send_private_message(job_id=1, text="one", at=NOON)
    driver.run_outbox()
    acknowledge(job_id=1, keys=[f"sms {Sms.objects.latest('pk').pk} failed"], at=NOON)
    assert driver.attention_of(1) == []

    private_messages.send_private_message(job_id=1, text="two", at=NOON)
    driver.run_outbox()

    assert driver.attention_of(1) == ["the private SMS did not arrive: Vonage answered 422"]


def test_a_flag_of_a_job_that_was_never_imported_cannot_be_seen(db):
    with pytest.raises(UnknownJob):
        acknowledge(job_id=1, keys=["missing"], at=NOON)
