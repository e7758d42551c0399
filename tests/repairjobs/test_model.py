"""The desk under whatever Hypothesis thinks of its client, its phone and its workers."""

from collections import Counter

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from repairjobs import client, errands, sms
from repairjobs.documents_table import JobDocument
from repairjobs.models import (
    ClientJob,
    Collection,
    DeliveryReport,
    Departure,
    Errand,
    ErrandKind,
    Job,
    JobTransaction,
    OptOut,
    Payment,
    Sms,
    SmsKind,
)
from repairjobs.reconciliation import differences
from repairjobs.services import collecting, hearing, jobs, telling, texting
from tests.repairjobs import desk
from tests.repairjobs.desk import NOON
from tests.repairjobs.factories import ClientJobFactory

IDS = [1, 2000]
ids = st.sampled_from(IDS)
statuses = st.sampled_from(
    ["NEW", " new", "OPENED", "In Progress", "JOB COMPLETED", "job completed ", "CLOSED", "LOST"]
)
mobiles = st.sampled_from(["07700 900123", "+447700900456", "none", None])
answers = st.sampled_from(
    [None, sms.SmsRefused("422"), sms.SmsNotSent("429"), sms.SmsUnknown("timeout")]
)
TABLES = [Errand, DeliveryReport, Sms, OptOut, Payment, JobTransaction, JobDocument, Job]
TABLES += [Collection, Departure, ClientJob]
DEADLY = [
    (ErrandKind.SMS, texting, "begin_attempt"),
    (ErrandKind.SMS, texting, "record_accepted"),
    (ErrandKind.SMS, texting, "record_unknown"),
    (ErrandKind.STATUS, telling, "intend_status"),
    (ErrandKind.STATUS, client, "compare_and_set"),
    (ErrandKind.DOCUMENT, jobs, "record_documents_written"),
]


class Killed(BaseException):
    """The worker is gone, as by kill -9."""


class Desk(RuleBasedStateMachine):
    """Nobody is texted twice, no write to the client is forgotten, and in the end all agree."""

    def __init__(self):
        super().__init__()
        for model in TABLES:
            model.objects.all().delete()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(sms, "send", self.send)
        self.patch.setattr(client, "compare_and_set", self.compare_and_set(client.compare_and_set))
        self.answer = None
        self.sent = Counter()  # by our reference
        self.put = Counter()  # what changed the client's table, by job and status
        self.payments = {}
        self.deaths = 0  # of workers that were about to write to the client, or just had
        desk.go_live()
        ClientJobFactory(job_id=1)
        desk.collect()

    def send(self, *, to, text, reference):
        answer, self.answer = self.answer, None
        if answer is None or isinstance(answer, sms.SmsUnknown):
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
        desk.put(job_id, status)

    @rule(job_id=ids, mobile=mobiles)
    def the_client_corrects(self, job_id, mobile):
        ClientJob.objects.filter(pk=job_id).update(mobile=mobile)

    @rule(job_id=ids)
    def the_client_deletes(self, job_id):
        ClientJob.objects.filter(pk=job_id).delete()

    @rule()
    def we_look(self):
        desk.collect()
        desk.follow()

    @rule()
    def we_sweep(self):
        collecting.sweep_jobs(at=NOON)

    @rule(answer=answers, kind=st.sampled_from(ErrandKind))
    def we_run(self, answer, kind):
        self.answer = answer
        desk.run(kind)

    @rule(answer=answers, where=st.sampled_from(DEADLY), after=st.booleans())
    def we_die(self, answer, where, after):
        self.answer = answer
        kind, owner, name = where
        original = getattr(owner, name)

        def deadly(*args, **kwargs):
            if after:
                original(*args, **kwargs)
            raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, deadly)
            try:
                errands.run_errands(kind, clock=timezone.now)
            except Killed:
                self.deaths += kind == ErrandKind.STATUS

    @rule(minutes=st.sampled_from([1, 10, 60]))
    def time_passes(self, minutes):
        desk.wait(minutes=minutes)

    @rule(job_id=ids, reference=st.sampled_from(["P-1", "P-2", "P-3"]))
    def money_comes(self, job_id, reference):
        is_known = Job.objects.filter(pk=job_id).exists()
        if is_known and self.payments.setdefault(reference, job_id) == job_id:
            desk.pay(job_id, reference)

    @rule(data=st.data(), status=st.sampled_from(["submitted", "delivered", "rejected"]))
    def vonage_reports(self, data, status):
        if self.sent:
            reference = data.draw(st.sampled_from(sorted(self.sent)))
            hearing.record_delivery(
                message_uuid=f"uuid-{reference}", reference=reference, status=status, reason="",
                at=NOON,
            )  # fmt: skip

    @rule(text=st.sampled_from(["STOP", "START", "Thanks"]), number=st.integers(1, 3))
    def a_customer_writes(self, text, number):
        hearing.receive_sms(
            message_uuid=f"in-{number}-{text}", sender="447700900123", recipient="Repairs",
            text=text, at=NOON,
        )  # fmt: skip

    @invariant()
    def nobody_is_texted_twice(self):
        assert set(self.sent.values()) <= {1}
        ones = Sms.objects.filter(kind__in=[SmsKind.COURTESY, SmsKind.FEEDBACK])
        assert set(Counter(ones.values_list("job_id", "kind")).values()) <= {1}

    def teardown(self):
        try:
            self.calm_down()
            self.all_agree()
        finally:
            self.patch.undo()

    def calm_down(self):
        for _ in range(6):
            collecting.sweep_jobs(at=NOON)
            self.we_look()
            desk.wait(hours=1)
            desk.run()

    def all_agree(self):
        self.nobody_is_texted_twice()
        assert not Errand.objects.exists()
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
        notes = desk.ledger(job.pk)
        assert notes.count("GET new job") == 1
        assert sum(note.startswith("EVENT payment") for note in notes) == job.payments.count()
        assert job.status != "NEW" or job.closed_at
        assert not (job.paid_at and job.is_completed) or job.closed_at


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
