"""What is owed: whatever fails, whoever dies, however many work at once."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from repairjobs.integrations import client_database
from repairjobs.integrations.documents.base import DocumentsUnavailable
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
    Job,
    OptOut,
    OutboxKind,
    OutboxTask,
    Sms,
    SmsSendSlot,
    SmsState,
)
from repairjobs.services import (
    job_sync,
    parts,
    private_messages,
    sms_delivery,
    sms_webhooks,
    status_updates,
)
from repairjobs.services.outbox import document_task, runner
from repairjobs.services.outbox.base import TaskKind
from repairjobs.services.outbox.document_task import DocumentTask
from repairjobs.services.outbox.sms_task import SmsTask
from tests.repairjobs import desk
from tests.repairjobs.desk import NOON, Phone
from tests.repairjobs.factories import ClientJobFactory

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])


class Killed(BaseException):
    """The worker is gone, as by kill -9."""


@pytest.fixture(autouse=True)
def live(phone):
    desk.go_live()


@pytest.fixture
def job():
    ClientJobFactory(job_id=1)
    desk.collect()
    return Job.objects.get()


def die(*args, **kwargs):
    raise Killed


def die_of_content(job):
    raise ValueError("no JSON")


def crash_in(monkeypatch, owner, name, *, after=False):
    """Let the worker die right before, or right after, this function; once."""
    original = getattr(owner, name)

    def deadly(*args, **kwargs):
        monkeypatch.setattr(owner, name, original)
        if after:
            original(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(owner, name, deadly)


# The function before or after which the worker dies, with how often the customer is texted and
# what must be settled by a person.
BOUNDARIES = [
    (sms_delivery, "begin_attempt", False, 1, False),
    (sms_delivery, "begin_attempt", True, 0, True),
    (Phone, "send", False, 0, True),
    (Phone, "send", True, 1, True),
    (sms_delivery, "record_accepted", False, 1, True),
    (sms_delivery, "record_accepted", True, 1, False),
    (sms_webhooks, "apply_early_receipts", False, 1, False),
    (client_database, "fetch", False, 1, False),
    (status_updates, "mark_write_started", False, 1, False),
    (status_updates, "mark_write_started", True, 1, False),
    (client_database, "compare_and_set", False, 1, False),
    (client_database, "compare_and_set", True, 1, False),
    (status_updates, "record_status_written", False, 1, False),
    (status_updates, "record_status_written", True, 1, False),
    (document_task, "build_document", False, 1, False),
    (document_task, "document_store", False, 1, False),
    (document_task, "record_documents_written", False, 1, False),
    (document_task, "record_documents_written", True, 1, False),
]


class TestACrash:
    @pytest.mark.parametrize(
        ("owner", "name", "after", "texts", "is_flagged"),
        BOUNDARIES,
        ids=lambda value: getattr(value, "__name__", str(value)),
    )
    def test_between_any_two_writes_texts_once_and_opens(
        self, job, phone, monkeypatch, owner, name, after, texts, is_flagged
    ):
        crash_in(monkeypatch, owner, name, after=after)

        with pytest.raises(Killed):
            desk.run()
        for _ in range(3):
            desk.wait(hours=1)
            desk.run()
            desk.follow()
        desk.run()

        assert len(phone.received) == texts
        assert desk.status_of(1) == ("OPENED", "OPENED", "OPENED")
        assert desk.ledger(1).count("PUT Job_status OPENED") == 1
        assert bool(desk.attention(1)) is is_flagged
        assert not OutboxTask.objects.exists()

    def test_leaves_to_its_claim_what_another_finished(self, job, phone):
        [first] = OutboxTask.objects.claim(OutboxKind.SMS)
        desk.wait(hours=1)
        [second] = OutboxTask.objects.claim(OutboxKind.SMS)

        runner.run_batch(SmsTask, [second], timezone.now)
        runner.run_batch(SmsTask, [first], timezone.now)

        assert len(phone.received) == 1


class TestSms:
    def test_that_was_refused_lets_the_job_go_on_flagged(self, job, phone):
        phone.answers = [SmsRefused("Vonage answered 422")]

        desk.run()

        assert desk.status_of(1) == ("OPENED", "OPENED", "OPENED")
        assert desk.attention(1) == ["the courtesy SMS did not arrive: Vonage answered 422"]
        assert desk.sms_of(1) == [("courtesy", "failed")]

    def test_that_did_not_leave_is_sent_later(self, job, phone):
        phone.answers = [SmsNotSent("Vonage answered 429", retry_after=6_000.0), None]

        desk.run()
        assert (phone.received, desk.sms_of(1)) == ([], [("courtesy", "queued")])
        desk.wait(minutes=90)
        desk.run()
        assert phone.received == []
        desk.wait(minutes=20)
        desk.run()

        assert len(phone.received) == 1
        assert desk.status_of(1)[0] == "OPENED"

    def test_that_never_leaves_is_quarantined_and_can_be_retried(self, job, phone):
        phone.answers = [SmsNotSent("refused")] * TaskKind.max_attempts
        for _ in range(TaskKind.max_attempts):
            desk.run()
            desk.wait(hours=1)
        desk.run()

        assert desk.attention(1)[0].startswith("failed too often: sms")
        assert ClientJob.objects.get().status == "NEW"
        runner.retry_task(OutboxTask.objects.dead_letters().get(), at=NOON)
        desk.run()

        assert len(phone.received) == 1
        assert desk.attention(1) == []
        assert desk.status_of(1)[0] == "OPENED"

    def test_that_may_have_left_holds_the_job_for_a_while(self, job, phone):
        phone.answers = [SmsUnknown("Vonage answered 500")]

        desk.run()
        assert ClientJob.objects.get().status == "NEW"
        assert desk.attention(1) == ["the courtesy SMS was perhaps sent"]
        desk.wait(minutes=14)
        desk.run()
        assert ClientJob.objects.get().status == "NEW"
        desk.wait(minutes=2)
        desk.run()

        assert ClientJob.objects.get().status == "OPENED"
        assert desk.attention(1) == ["the courtesy SMS was perhaps sent"]
        assert len(phone.received) == 1

    @pytest.mark.parametrize(("was_sent", "received"), [(True, 1), (False, 2)])
    def test_that_may_have_left_can_be_settled_by_hand(self, job, phone, was_sent, received):
        phone.answers = [SmsUnknown("timeout")]
        desk.run()

        assert sms_delivery.resolve_sms(Sms.objects.get(), was_sent=was_sent, at=NOON)
        assert sms_delivery.resolve_sms(Sms.objects.get(), was_sent=was_sent, at=NOON) is False
        desk.run()

        assert len(phone.received) == received
        assert desk.status_of(1) == ("OPENED", "OPENED", "OPENED")
        assert desk.attention(1) == []

    @pytest.mark.parametrize("mobile", [None, "", "none", "12", "x" * 255])
    def test_to_no_number_stops_nothing(self, phone, mobile):
        ClientJobFactory(job_id=1, mobile=mobile)
        desk.collect()

        desk.run()

        assert phone.received == []
        assert desk.status_of(1) == ("OPENED", "OPENED", "OPENED")
        assert desk.ledger(1)[1] == "EVENT courtesy SMS not sent: the number cannot be texted"
        assert desk.attention(1) == ["the courtesy SMS was not sent: the number cannot be texted"]

    def test_goes_to_the_number_of_the_moment(self, job, phone):
        ClientJob.objects.update(mobile="07700 900456")
        desk.follow()

        desk.run()

        assert [to for to, _ in phone.received] == ["+447700900456"]

    def test_to_who_opted_out_is_not_sent(self, job, phone):
        OptOut.objects.create(number="+447700900123", since=NOON)

        desk.run()

        assert phone.received == []
        assert desk.status_of(1)[0] == "OPENED"
        assert desk.attention(1) == []

    def test_leaves_at_the_rate_that_is_set(self):
        a_minute_each = 1 / 60  # which no machine takes for four reservations

        waits = [SmsSendSlot.objects.reserve(per_second=a_minute_each) for _ in range(4)]

        assert [round(wait / timedelta(minutes=1)) for wait in waits] == [0, 1, 2, 3]

    def test_beyond_a_workers_patience_waits_without_one(self, job, phone, settings):
        settings.SMS_PER_SECOND = 1
        for _ in range(100):
            SmsSendSlot.objects.reserve(per_second=1)

        desk.run(OutboxKind.SMS)

        assert phone.received == []
        assert OutboxTask.objects.get(kind=OutboxKind.SMS).attempts == 0


class TestTellingTheClient:
    @pytest.mark.parametrize("status", ["IN PROGRESS", "JOB COMPLETED", "ON HOLD", None])
    def test_overwrites_nothing_that_changed_at_that_moment(self, job, monkeypatch, status):
        original = client_database.compare_and_set

        def race(job_id, **arguments):
            desk.put(job_id, status)
            monkeypatch.setattr(client_database, "compare_and_set", original)
            return original(job_id, **arguments)

        monkeypatch.setattr(client_database, "compare_and_set", race)

        desk.run()

        assert ClientJob.objects.get().status == status
        assert "PUT Job_status OPENED" not in desk.ledger(1)
        assert desk.status_of(1)[1] == (status or "")

    def test_of_closed_gives_way_to_more_work(self, job, monkeypatch):
        desk.run()
        desk.put(1, "JOB COMPLETED")
        desk.follow()
        desk.pay(1)
        original = client_database.compare_and_set

        def race(job_id, **arguments):
            desk.put(job_id, "IN PROGRESS")
            return original(job_id, **arguments)

        monkeypatch.setattr(client_database, "compare_and_set", race)
        desk.run()
        assert desk.status_of(1) == ("IN PROGRESS", "IN PROGRESS", "IN PROGRESS")
        monkeypatch.setattr(client_database, "compare_and_set", original)

        desk.put(1, "JOB COMPLETED")
        desk.follow()
        desk.run()

        assert desk.status_of(1) == ("CLOSED", "CLOSED", "CLOSED")

    def test_is_put_off_while_the_client_is_away(self, job, monkeypatch):
        def away(*args, **kwargs):
            raise client_database.ClientUnavailable("gone")

        with monkeypatch.context() as patch:
            patch.setattr(client_database, "fetch", away)
            for _ in range(TaskKind.max_attempts + 3):
                desk.run()
                desk.wait(hours=1)
            patch.setattr(client_database, "fetch", die_of_content)
            desk.run()
            desk.wait(hours=1)
        assert not OutboxTask.objects.dead_letters().exists()

        desk.run()

        assert desk.status_of(1)[0] == "OPENED"

    def test_is_not_taken_for_the_clients_own_word(self, job, monkeypatch):
        crash_in(monkeypatch, client_database, "compare_and_set", after=True)
        with pytest.raises(Killed):
            desk.run()

        assert desk.follow() == 0
        desk.wait(hours=1)
        desk.run()

        assert desk.ledger(1).count("PUT Job_status OPENED") == 1
        assert not [note for note in desk.ledger(1) if note.startswith("GET Job_status")]

    def test_is_on_record_though_the_client_went_on_before_it_was(self, job, monkeypatch):
        crash_in(monkeypatch, client_database, "compare_and_set", after=True)
        with pytest.raises(Killed):
            desk.run()
        desk.put(1, "IN PROGRESS")

        assert desk.follow() == 0
        desk.wait(hours=1)
        desk.run()
        desk.follow()

        assert desk.ledger(1)[-2:] == ["PUT Job_status OPENED", "GET Job_status IN PROGRESS"]
        assert desk.status_of(1)[1] == "IN PROGRESS"

    def test_that_was_given_up_lets_the_job_be_followed(self, job, monkeypatch):
        crash_in(monkeypatch, client_database, "compare_and_set")
        with pytest.raises(Killed):
            desk.run()
        OutboxTask.objects.filter(kind=OutboxKind.STATUS).update(due_at=None)
        desk.put(1, "IN PROGRESS")

        assert desk.follow() == 1

    def test_is_not_undone_by_a_look_from_before(self, job, monkeypatch):
        seen, row = Job.objects.get(), ClientJob.objects.get()
        desk.run()

        assert job_sync._sync_job(seen, row, at=NOON) is False
        assert Job.objects.get().status == "OPENED"


class TestDocument:
    def test_is_written_when_the_store_is_back(self, job, monkeypatch):
        def away():
            raise DocumentsUnavailable("gone")

        with monkeypatch.context() as patch:
            patch.setattr(document_task, "document_store", away)
            desk.run()
        desk.wait(hours=1)
        desk.run()

        assert desk.status_of(1) == ("OPENED", "OPENED", "OPENED")

    def test_is_written_anew_if_the_job_changed_meanwhile(self, job, monkeypatch):
        original = document_task.build_document

        def late(job):
            monkeypatch.setattr(document_task, "build_document", original)
            document = original(job)
            parts.add_part(job_id=1, part_number="P", name="Pump", quantity=1, at=NOON)
            return document

        monkeypatch.setattr(document_task, "build_document", late)
        desk.run()

        assert desk.document_store().get("00001")["parts"][0]["name"] == "Pump"

    def test_that_cannot_be_stored_is_quarantined(self, job, monkeypatch):
        monkeypatch.setattr(document_task, "build_document", die_of_content)
        for _ in range(TaskKind.max_attempts):
            desk.run()
            desk.wait(hours=1)

        task = OutboxTask.objects.dead_letters().get()
        assert task.last_error == "ValueError: no JSON"

    def test_that_was_given_up_is_written_when_the_job_changes(self, job, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(document_task, "build_document", die_of_content)
            for _ in range(TaskKind.max_attempts):
                desk.run()
                desk.wait(hours=1)
        desk.run()
        assert OutboxTask.objects.dead_letters().exists()

        desk.put(1, "IN PROGRESS")
        desk.follow()
        desk.run()

        assert desk.status_of(1) == ("IN PROGRESS", "IN PROGRESS", "IN PROGRESS")
        assert not OutboxTask.objects.exists()

    def test_of_many_jobs_costs_each_but_its_own_writing(self, django_assert_max_num_queries):
        ClientJobFactory.create_batch(50)
        desk.collect()

        # At most four to put each: an update, or a savepoint with an insert.
        with django_assert_max_num_queries(50 * 4 + 20, using="repairjobs"):
            assert desk.run(OutboxKind.DOCUMENT) == 50

        assert not OutboxTask.objects.filter(kind=OutboxKind.DOCUMENT).exists()

    def test_that_cannot_be_stored_keeps_back_no_other(self, monkeypatch):
        rows = ClientJobFactory.create_batch(3)
        desk.collect()
        original = document_task.build_document

        def build_document(job):
            if job.pk == rows[1].pk:
                raise ValueError("no JSON")
            return original(job)

        monkeypatch.setattr(document_task, "build_document", build_document)
        runner.run_outbox(DocumentTask, clock=timezone.now)

        left = OutboxTask.objects.get(kind=OutboxKind.DOCUMENT)
        assert (left.job_id, left.last_error) == (rows[1].pk, "ValueError: no JSON")

    def test_waits_with_all_that_were_claimed_with_it(self, monkeypatch):
        ClientJobFactory.create_batch(3)
        desk.collect()
        written = []

        def put(document, *, version):
            if written:
                raise DocumentsUnavailable("gone")
            written.append(document["job_id"])

        store = document_task.document_store()
        monkeypatch.setattr(store, "put", put)
        monkeypatch.setattr(document_task, "document_store", lambda: store)
        runner.run_outbox(DocumentTask, clock=timezone.now)

        left = OutboxTask.objects.filter(kind=OutboxKind.DOCUMENT)
        assert list(left.values_list("last_error", flat=True)) == [
            "DocumentsUnavailable: gone",
            "DocumentsUnavailable: gone",
        ]


class TestReports:
    def report(self, status="delivered", *, message_uuid="uuid-1", reference=""):
        receipt = Receipt(message_uuid, reference, status, DELIVERY_STATES.get(status), reason="")
        return sms_webhooks.record_delivery_receipt(receipt, at=NOON)

    @pytest.mark.parametrize("order", [["submitted", "delivered"], ["delivered", "submitted"]])
    def test_move_an_sms_forward_only(self, job, order):
        desk.run()

        for status in order * 2:
            self.report(status)

        assert Sms.objects.get().state == SmsState.DELIVERED
        assert DeliveryReceipt.objects.count() == 2

    def test_settle_an_sms_that_may_have_left(self, job, phone):
        phone.answers = [SmsUnknown("timeout")]
        desk.run()

        self.report("submitted", reference=str(Sms.objects.get().reference))
        desk.run()

        assert desk.status_of(1)[0] == "OPENED"
        assert desk.attention(1) == []
        assert len(phone.received) == 1

    def test_that_come_before_our_commit_are_joined(self, job):
        assert self.report("delivered", message_uuid="uuid-1") is False

        desk.run()

        assert Sms.objects.get().state == SmsState.DELIVERED

    def test_of_failure_flag_the_job(self, job):
        desk.run()
        before = len(desk.ledger(1))

        self.report("undeliverable")
        self.report("undeliverable")

        assert "did not arrive" in desk.attention(1)[0]
        assert len(desk.ledger(1)) == before + 1

    def test_about_an_sms_not_yet_sent_again_spare_it(self, job, phone):
        phone.answers = [SmsNotSent("429")]
        desk.run()

        self.report("submitted", reference=str(Sms.objects.get().reference))
        desk.wait(hours=1)
        desk.run()

        assert phone.received == []
        assert desk.status_of(1)[0] == "OPENED"

    def test_of_strange_words_change_nothing(self, job):
        desk.run()

        self.report("teleported")
        self.report("delivered", message_uuid="x", reference="not a uuid")
        self.report("delivered", message_uuid="x", reference=str(uuid4()))

        assert Sms.objects.get().state == SmsState.ACCEPTED


class TestReplies:
    def reply(self, text="Very good", message_uuid="in-1", sender="447700900123"):
        message = InboundMessage(message_uuid, sender, "447700900999", text)
        return sms_webhooks.receive_message(message, at=NOON)

    def test_are_kept_with_the_job_last_texted(self, phone):
        for job_id in (1, 2):
            ClientJobFactory(job_id=job_id)
            desk.collect()
            desk.run()

        assert self.reply() is True
        assert self.reply() is False

        assert desk.sms_of(2)[-1] == ("inbound", "received")
        assert desk.ledger(2)[-1] == "EVENT inbound SMS received"
        assert Sms.objects.filter(kind="inbound").count() == 1

    def test_of_strangers_are_kept_without_a_job(self):
        self.reply(sender="447700900777")
        self.reply(sender="SHOP", message_uuid="in-2")

        assert Sms.objects.filter(job=None).count() == 2

    @pytest.mark.parametrize("text", ["STOP", " stop\n"])
    def test_of_stop_end_all_texting_until_start(self, job, phone, text):
        desk.run()
        self.reply(text)
        with pytest.raises(private_messages.CannotText):
            private_messages.send_private_message(job_id=1, text="Hello", at=NOON)

        self.reply("START", message_uuid="in-2")
        private_messages.send_private_message(job_id=1, text="Hello", at=NOON)
        desk.run()

        assert len(phone.received) == 2


@pytest.mark.django_db(databases=["repairjobs", "client"], transaction=True)
class TestWorkersAtOnce:
    @pytest.fixture(autouse=True)
    def live(self, phone):
        ClientJob.objects.all().delete()
        desk.go_live()
        yield
        ClientJob.objects.all().delete()

    def together(self, count, work):
        failures = []

        def one():
            try:
                work()
            except OperationalError as error:
                failures.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=one) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    def test_do_each_errand_once(self, phone, settings):
        settings.SMS_PER_SECOND = 1_000
        ClientJobFactory.create_batch(15)
        desk.collect()

        self.together(4, desk.run)
        desk.run()

        assert len(phone.received) == 15
        assert ClientJob.objects.filter(status="OPENED").count() == 15
        assert not OutboxTask.objects.exists()

    def test_collect_each_job_once(self):
        ClientJobFactory.create_batch(15)

        self.together(4, desk.collect)

        assert Job.objects.count() == Sms.objects.count() == 15

    def test_take_one_payment_once(self):
        ClientJobFactory(job_id=1)
        desk.collect()
        answers = []

        self.together(4, lambda: answers.append(desk.pay(1)))

        assert sorted(answers) == [False, False, False, True]
