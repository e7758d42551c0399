"""The desk under whatever Hypothesis thinks of its client, its phone and its workers."""

from collections import Counter

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from repairjobs.integrations import client_database, sms
from repairjobs.integrations.sms.base import (
    InboundMessage,
    Receipt,
    SmsNotSent,
    SmsRefused,
    SmsUnknown,
)
from repairjobs.integrations.sms.vonage import DELIVERY_STATES
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
from repairjobs.services import job_import, sms_delivery, sms_webhooks, status_updates
from repairjobs.services.outbox import document_task, runner
from repairjobs.services.outbox.registry import TASK_KINDS
from repairjobs.services.reconciliation import differences
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import ClientJobFactory
from tests.support.repairjobs.workflow_driver import NOON

IDS = [1, 2000]
ids = st.sampled_from(IDS)
statuses = st.sampled_from(
    ["NEW", " new", "OPENED", "In Progress", "JOB COMPLETED", "job completed ", "CLOSED", "LOST"]
)
mobiles = st.sampled_from(["07700 900123", "+447700900456", "none", None])
answers = st.sampled_from([None, SmsRefused("422"), SmsNotSent("429"), SmsUnknown("timeout")])
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
DEADLY = [
    (OutboxKind.SMS, sms_delivery, "begin_attempt"),
    (OutboxKind.SMS, sms_delivery, "record_accepted"),
    (OutboxKind.SMS, sms_delivery, "record_unknown"),
    (OutboxKind.STATUS, status_updates, "mark_write_started"),
    (OutboxKind.STATUS, client_database, "compare_and_set"),
    (OutboxKind.DOCUMENT, document_task, "record_documents_written"),
]


class Killed(BaseException):
    """The worker is gone, as by kill -9."""


class Desk(RuleBasedStateMachine):
    """Nobody is texted twice, no write to the client is forgotten, and in the end all agree."""

    sender = "Repairs"

    def __init__(self):
        super().__init__()
        for model in TABLES:
            model.objects.all().delete()
        self.patch = pytest.MonkeyPatch()
        self.patch.setitem(sms.PROVIDERS, "console", lambda: self)
        self.patch.setattr(
            client_database,
            "compare_and_set",
            self.compare_and_set(client_database.compare_and_set),
        )
        self.answer = None
        self.sent = Counter()  # by our reference
        self.put = Counter()  # what changed the client's table, by job and status
        self.payments = {}
        self.deaths = 0  # of workers that were about to write to the client, or just had
        driver.go_live()
        ClientJobFactory(job_id=1)
        driver.import_jobs()

    def send(self, *, to, text, reference):
        answer, self.answer = self.answer, None
        if answer is None or isinstance(answer, SmsUnknown):
            self.sent[reference] += 1
        if answer:
            raise answer
        return f"uuid-{reference}"

    def compare_and_set(self, original):
        def counted(job_id, *, expected, status):
            is_set = original(job_id, expected=expected, status=status)
            self.put[job_id, status] += is_set
            return is_set

        return counted

    @rule(job_id=ids, status=st.just("NEW") | statuses, mobile=mobiles)
    def the_client_adds(self, job_id, status, mobile):
        if not ClientJob.objects.filter(pk=job_id).exists():
            ClientJobFactory(job_id=job_id, status=status, mobile=mobile)

    @rule(job_id=ids, status=statuses)
    def the_client_sets(self, job_id, status):
        driver.set_client_status(job_id, status)

    @rule(job_id=ids, mobile=mobiles)
    def the_client_corrects(self, job_id, mobile):
        ClientJob.objects.filter(pk=job_id).update(mobile=mobile)

    @rule(job_id=ids)
    def the_client_deletes(self, job_id):
        ClientJob.objects.filter(pk=job_id).delete()

    @rule()
    def we_look(self):
        driver.import_jobs()
        driver.sync_jobs()

    @rule()
    def we_sweep(self):
        job_import.scan_table(at=NOON)

    @rule(answer=answers, kind=st.sampled_from(OutboxKind))
    def we_run(self, answer, kind):
        self.answer = answer
        driver.run_outbox(kind)

    @rule(answer=answers, where=st.sampled_from(DEADLY), after=st.booleans())
    def we_die(self, answer, where, after):
        self.answer = answer
        kind, owner, name = where
        original = getattr(owner, name)
        task_kind = next(each for each in TASK_KINDS if each.name == kind)

        def deadly(*args, **kwargs):
            if after:
                original(*args, **kwargs)
            raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, deadly)
            try:
                runner.run_outbox(task_kind, clock=timezone.now)
            except Killed:
                self.deaths += kind == OutboxKind.STATUS

    @rule(minutes=st.sampled_from([1, 10, 60]))
    def time_passes(self, minutes):
        driver.let_time_pass(minutes=minutes)

    @rule(job_id=ids, reference=st.sampled_from(["P-1", "P-2", "P-3"]))
    def money_comes(self, job_id, reference):
        is_known = Job.objects.filter(pk=job_id).exists()
        if is_known and self.payments.setdefault(reference, job_id) == job_id:
            driver.pay(job_id, reference)

    @rule(data=st.data(), status=st.sampled_from(["submitted", "delivered", "rejected"]))
    def vonage_reports(self, data, status):
        if self.sent:
            reference = data.draw(st.sampled_from(sorted(self.sent)))
            receipt = Receipt(f"uuid-{reference}", reference, status, DELIVERY_STATES[status], "")
            sms_webhooks.record_delivery_receipt(receipt, at=NOON)

    @rule(text=st.sampled_from(["STOP", "START", "Thanks"]), number=st.integers(1, 3))
    def a_customer_writes(self, text, number):
        message = InboundMessage(f"in-{number}-{text}", "447700900123", "Repairs", text)
        sms_webhooks.receive_message(message, at=NOON)

    @invariant()
    def nobody_is_texted_twice(self):
        assert set(self.sent.values()) <= {1}
        ones = Sms.objects.filter(kind__in=[SmsKind.COURTESY, SmsKind.FEEDBACK])
        assert set(Counter(ones.values_list("job_id", "kind")).values()) <= {1}

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
            self.calm_down()
            self.all_agree()
        finally:
            self.patch.undo()

    def calm_down(self):
        for _ in range(6):
            job_import.scan_table(at=NOON)
            self.we_look()
            driver.let_time_pass(hours=1)
            driver.run_outbox()

    def all_agree(self):
        self.nobody_is_texted_twice()
        assert not OutboxTask.objects.exists()
        gone = {job.pk for job in Job.objects.filter(is_missing=True)}
        assert gone == set(IDS) & set(Job.objects.values_list("pk", flat=True)) - set(
            ClientJob.objects.values_list("pk", flat=True)
        )
        assert len(list(differences(progress=lambda seen: None))) == len(gone)
        puts = Counter(
            (job_id, note.removeprefix("PUT Job_status "))
            for job_id, note in JobTransaction.objects.values_list("job_id", "note")
            if note.startswith("PUT")
        )
        # What was written right before a death is recorded by what the client's row says next.
        assert ((puts - self.put) + (self.put - puts)).total() <= self.deaths
        for job in Job.objects.exclude(pk__in=gone):
            self.is_at_rest(job)

    def is_at_rest(self, job):
        notes = driver.ledger_of(job.pk)
        assert notes.count("GET new job") == 1
        assert sum(note.startswith("EVENT payment") for note in notes) == job.payments.count()
        assert job.status != "NEW" or job.closed_at
        is_completed = job.status in {JobStatus.COMPLETED, JobStatus.CLOSED}
        assert not (job.paid_at and is_completed) or job.closed_at


@pytest.mark.hypothesis
@pytest.mark.django_db(databases=["repairjobs", "client"])
def test_whatever_happens_nobody_is_texted_twice_and_all_agree_in_the_end():
    run_state_machine_as_test(
        Desk,
        settings=settings(
            stateful_step_count=25,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
