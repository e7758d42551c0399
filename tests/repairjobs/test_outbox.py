"""Outbox tasks of every kind: claims, crashes, dead letters, and several workers at once."""

import threading

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from repairjobs.models import ClientJob, Job, OutboxKind, OutboxTask, Sms
from repairjobs.services.outbox import runner
from repairjobs.services.outbox.base import TaskKind
from repairjobs.services.outbox.sms_task import SmsTask
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.crash_injection import Killed, crashing
from tests.support.repairjobs.factories import NOON, ClientJobFactory
from tests.support.repairjobs.fake_vonage import Fault

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])

# The point at which the worker dies, how many SMS the customer gets, and whether a person must
# look at the job.
CRASHES = [
    ("before the attempt is recorded", 1, False),
    ("after the attempt is recorded", 0, True),
    ("before the request to Vonage", 0, True),
    ("after the response of Vonage", 1, True),
    ("before the accepted SMS is recorded", 1, True),
    ("after the accepted SMS is recorded", 1, False),
    ("before early receipts are read", 1, False),
    ("before the client's row is read", 1, False),
    ("before the write's start is recorded", 1, False),
    ("after the write's start is recorded", 1, False),
    ("before the write to the client", 1, False),
    ("after the write to the client", 1, False),
    ("before the write is recorded", 1, False),
    ("after the write is recorded", 1, False),
    ("before the document is built", 1, False),
    ("before the document is written", 1, False),
    ("before the written document is recorded", 1, False),
    ("after the written document is recorded", 1, False),
]


@pytest.mark.parametrize(
    ("point", "sms_count", "is_flagged"), CRASHES, ids=[point for point, *_ in CRASHES]
)
def test_a_crash_at_any_point_neither_texts_twice_nor_loses_the_job(
    job, vonage, point, sms_count, is_flagged
):
    with crashing(point), pytest.raises(Killed):
        driver.run_outbox()
    for _ in range(3):
        driver.let_time_pass(hours=1)
        driver.run_outbox()
        driver.sync_jobs()
    driver.run_outbox()

    assert len(vonage.accepted) == sms_count
    assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
    assert driver.ledger_of(1).count("PUT Job_status OPENED") == 1
    assert bool(driver.attention_of(1)) is is_flagged
    assert not OutboxTask.objects.exists()


def test_a_worker_that_lost_its_claim_does_not_repeat_the_task(job, vonage):
    [first_claim] = OutboxTask.objects.claim(OutboxKind.SMS)
    driver.let_time_pass(hours=1)
    [second_claim] = OutboxTask.objects.claim(OutboxKind.SMS)

    runner.run_batch(SmsTask, [second_claim], timezone.now)
    runner.run_batch(SmsTask, [first_claim], timezone.now)

    assert len(vonage.accepted) == 1


def test_a_task_that_fails_too_often_becomes_a_dead_letter_that_can_be_retried(job, vonage):
    vonage.fail(*[Fault.THROTTLED] * TaskKind.max_attempts)
    for _ in range(TaskKind.max_attempts):
        driver.run_outbox()
        driver.let_time_pass(hours=1)
    driver.run_outbox()

    assert driver.attention_of(1)[0].startswith("failed too often: sms")
    assert ClientJob.objects.get().status == "NEW"
    runner.retry_task(OutboxTask.objects.dead_letters().get(), at=NOON)
    driver.run_outbox()

    assert len(vonage.accepted) == 1
    assert driver.attention_of(1) == []
    assert driver.statuses_of(1)[0] == "OPENED"


@pytest.mark.django_db(databases=["repairjobs", "client"], transaction=True)
class TestSeveralWorkers:
    @pytest.fixture(autouse=True)
    def _empty_client_table(self, live):
        # Django empties only tables that it manages.
        yield
        ClientJob.objects.all().delete()

    def run_in_threads(self, count, work):
        failures = []

        def work_in_thread():
            try:
                work()
            except OperationalError as error:
                failures.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work_in_thread) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    def test_four_workers_do_each_task_once(self, vonage):
        ClientJobFactory.create_batch(15)
        driver.import_jobs()

        self.run_in_threads(4, driver.run_outbox)
        driver.run_outbox()

        assert len(vonage.accepted) == 15
        assert ClientJob.objects.filter(status="OPENED").count() == 15
        assert not OutboxTask.objects.exists()

    def test_four_workers_import_each_job_once(self):
        ClientJobFactory.create_batch(15)

        self.run_in_threads(4, driver.import_jobs)

        assert Job.objects.count() == Sms.objects.count() == 15

    def test_four_workers_record_the_same_payment_once(self):
        ClientJobFactory(job_id=1)
        driver.import_jobs()
        results = []

        self.run_in_threads(4, lambda: results.append(driver.pay(1)))

        assert sorted(results) == [False, False, False, True]
