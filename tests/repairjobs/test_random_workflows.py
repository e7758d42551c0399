"""Random histories of client, customers, Vonage and workers, drawn by Hypothesis."""

from collections import Counter

import pytest
from django.db import connections
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from repairjobs.integrations.sms.base import InboundMessage
from repairjobs.integrations.sms.vonage import VonageSms
from repairjobs.models import (
    ClientJob,
    DeliveryReceipt,
    ImportCursor,
    Job,
    JobDocument,
    JobState,
    JobStatus,
    JobTransaction,
    OptOut,
    OutboxKind,
    OutboxTask,
    Payment,
    Sms,
    SmsKind,
    SmsSendSlot,
)
from repairjobs.services import job_import, sms_webhooks
from repairjobs.services.outbox import runner
from repairjobs.services.outbox.registry import TASK_KINDS
from repairjobs.services.reconciliation import differences
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.crash_injection import Killed, crashing
from tests.support.repairjobs.factories import NOON, ClientJobFactory
from tests.support.repairjobs.fake_vonage import Fault

IDS = [1, 2000]
ids = st.sampled_from(IDS)
statuses = st.sampled_from(
    ["NEW", " new", "OPENED", "In Progress", "JOB COMPLETED", "job completed ", "CLOSED", "LOST"]
)
mobiles = st.sampled_from(["07700 900123", "+447700900456", "none", None])
faults = st.sampled_from([None, Fault.INVALID, Fault.THROTTLED, Fault.BROKEN_ACCEPTED])
TABLES = [OutboxTask, DeliveryReceipt, Sms, OptOut, Payment, JobTransaction, JobDocument, Job]
TABLES += [ImportCursor, SmsSendSlot, ClientJob]
# The state of a job that we have not closed, by the client's status.
STATES = {
    JobStatus.NEW: JobState.NEW,
    JobStatus.OPENED: JobState.OPENED,
    JobStatus.IN_PROGRESS: JobState.IN_PROGRESS,
    JobStatus.COMPLETED: JobState.COMPLETED,
    JobStatus.CLOSED: JobState.CLOSED_BY_CLIENT,
}
CRASHES = [
    (OutboxKind.SMS, "before the attempt is recorded"),
    (OutboxKind.SMS, "after the attempt is recorded"),
    (OutboxKind.SMS, "before the accepted SMS is recorded"),
    (OutboxKind.SMS, "after the accepted SMS is recorded"),
    (OutboxKind.SMS, "before the unknown SMS is recorded"),
    (OutboxKind.SMS, "after the unknown SMS is recorded"),
    (OutboxKind.STATUS, "before the write's start is recorded"),
    (OutboxKind.STATUS, "after the write's start is recorded"),
    (OutboxKind.STATUS, "before the write to the client"),
    (OutboxKind.STATUS, "after the write to the client"),
    (OutboxKind.DOCUMENT, "before the written document is recorded"),
    (OutboxKind.DOCUMENT, "after the written document is recorded"),
]


class RepairJobs(RuleBasedStateMachine):
    """No customer is texted twice, no write to the client is forgotten, and all agree at last."""

    def __init__(self, vonage):
        super().__init__()
        for model in TABLES:
            model.objects.all().delete()
        self.vonage = vonage
        vonage.reset()
        self.client_writes = Counter()  # our changes of the client's table, by job and status
        self.watching = connections["client"].execute_wrapper(self.count_client_writes)
        self.watching.__enter__()
        self.payments = {}
        self.status_task_deaths = 0  # of workers right before or after a write to the client
        driver.go_live()
        ClientJobFactory(job_id=1)
        driver.import_jobs()

    def count_client_writes(self, execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if sql.startswith("UPDATE") and len(params) == 3:  # a compare-and-set
            status, job_id, _ = params
            self.client_writes[job_id, str(status)] += context["cursor"].rowcount
        return result

    def sms_by_reference(self):
        return Counter(sms.client_ref for sms in self.vonage.accepted)

    @rule(job_id=ids, status=st.just("NEW") | statuses, mobile=mobiles)
    def the_client_adds_a_row(self, job_id, status, mobile):
        if not ClientJob.objects.filter(pk=job_id).exists():
            ClientJobFactory(job_id=job_id, status=status, mobile=mobile)

    @rule(job_id=ids, status=statuses)
    def the_client_sets_a_status(self, job_id, status):
        driver.set_client_status(job_id, status)

    @rule(job_id=ids, mobile=mobiles)
    def the_client_corrects_a_number(self, job_id, mobile):
        ClientJob.objects.filter(pk=job_id).update(mobile=mobile)

    @rule(job_id=ids)
    def the_client_deletes_a_row(self, job_id):
        ClientJob.objects.filter(pk=job_id).delete()

    @rule()
    def workers_import_and_sync(self):
        driver.import_jobs()
        driver.sync_jobs()

    @rule()
    def workers_scan_the_table(self):
        job_import.scan_table(at=NOON)

    @rule(fault=faults, kind=st.sampled_from(OutboxKind))
    def workers_run_the_outbox(self, fault, kind):
        self.vonage.faults = [fault]
        driver.run_outbox(kind)

    @rule(fault=faults, crash=st.sampled_from(CRASHES))
    def a_worker_dies(self, fault, crash):
        self.vonage.faults = [fault]
        kind, point = crash
        task_kind = next(task_kind for task_kind in TASK_KINDS if task_kind.name == kind)

        with crashing(point):
            try:
                runner.run_outbox(task_kind, clock=timezone.now)
            except Killed:
                self.status_task_deaths += kind == OutboxKind.STATUS

    @rule(minutes=st.sampled_from([1, 10, 60]))
    def time_passes(self, minutes):
        driver.let_time_pass(minutes=minutes)

    @rule(job_id=ids, reference=st.sampled_from(["P-1", "P-2", "P-3"]))
    def a_payment_is_reported(self, job_id, reference):
        is_known = Job.objects.filter(pk=job_id).exists()
        if is_known and self.payments.setdefault(reference, job_id) == job_id:
            driver.pay(job_id, reference)

    @rule(data=st.data(), status=st.sampled_from(["submitted", "delivered", "rejected"]))
    def vonage_reports_a_status(self, data, status):
        if self.vonage.accepted:
            sms = data.draw(st.sampled_from(self.vonage.accepted))
            payload = {
                "message_uuid": sms.message_uuid,
                "client_ref": sms.client_ref,
                "status": status,
            }
            receipt = VonageSms().parse_receipt(payload)
            sms_webhooks.record_delivery_receipt(receipt, at=NOON)

    @rule(text=st.sampled_from(["STOP", "START", "Thanks"]), number=st.integers(1, 3))
    def a_customer_writes(self, text, number):
        message = InboundMessage(f"in-{number}-{text}", "447700900123", "Repairs", text)
        sms_webhooks.receive_message(message, at=NOON)

    @invariant()
    def no_customer_is_texted_twice(self):
        assert set(self.sms_by_reference().values()) <= {1}
        automatic_sms = Sms.objects.filter(kind__in=[SmsKind.COURTESY, SmsKind.FEEDBACK])
        assert set(Counter(automatic_sms.values_list("job_id", "kind")).values()) <= {1}

    @invariant()
    def every_state_agrees_with_the_clients_status(self):
        for job in Job.objects.all():
            if job.closed_at:
                is_closed = job.status == JobStatus.CLOSED
                assert job.state == (JobState.CLOSED if is_closed else JobState.REOPENED)
            else:
                assert job.state == STATES.get(job.status, JobState.UNRECOGNISED)

    def teardown(self):
        try:
            self.vonage.faults = []
            self.finish_all_work()
            self.check_that_all_agree()
        finally:
            self.watching.__exit__(None, None, None)

    def finish_all_work(self):
        for _ in range(6):
            job_import.scan_table(at=NOON)
            self.workers_import_and_sync()
            driver.let_time_pass(hours=1)
            driver.run_outbox()

    def check_that_all_agree(self):
        self.no_customer_is_texted_twice()
        assert not OutboxTask.objects.exists()
        missing = {job.pk for job in Job.objects.filter(is_missing=True)}
        known_ids = set(IDS) & set(Job.objects.values_list("pk", flat=True))
        assert missing == known_ids - set(ClientJob.objects.values_list("pk", flat=True))
        assert len(list(differences(progress=lambda count: None))) == len(missing)
        recorded_writes = Counter(
            (job_id, note.removeprefix("PUT Job_status "))
            for job_id, note in JobTransaction.objects.values_list("job_id", "note")
            if note.startswith("PUT")
        )
        # If a worker dies right before or after a write, the client's row decides what is recorded.
        unequal = (recorded_writes - self.client_writes) + (self.client_writes - recorded_writes)
        assert unequal.total() <= self.status_task_deaths
        for job in Job.objects.exclude(pk__in=missing):
            self.check_that_work_is_done(job)

    def check_that_work_is_done(self, job):
        notes = driver.ledger_of(job.pk)
        assert notes.count("GET new job") == 1
        assert sum(note.startswith("EVENT payment") for note in notes) == job.payments.count()
        assert job.status != "NEW" or job.closed_at
        is_completed = job.status in {JobStatus.COMPLETED, JobStatus.CLOSED}
        assert not (job.paid_at and is_completed) or job.closed_at


@pytest.mark.hypothesis
@pytest.mark.django_db(databases=["repairjobs", "client"])
def test_no_customer_is_texted_twice_and_all_agree_after_any_history(vonage):
    run_state_machine_as_test(
        lambda: RepairJobs(vonage),
        settings=settings(
            stateful_step_count=25,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
