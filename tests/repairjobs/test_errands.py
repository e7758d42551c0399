"""What is owed: whatever fails, whoever dies, however many work at once."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError, connections
from django.utils import timezone

from repairjobs import client, errands, sms
from repairjobs.documents import DocumentsUnavailable
from repairjobs.models import (
    ClientJob,
    DeliveryReport,
    Departure,
    Errand,
    ErrandKind,
    Job,
    OptOut,
    Sms,
    SmsState,
)
from repairjobs.services import following, hearing, jobs, parts, telling, texting
from tests.repairjobs import desk
from tests.repairjobs.desk import NOON
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
    (texting, "begin_attempt", False, 1, False),
    (texting, "begin_attempt", True, 0, True),
    (sms, "send", False, 0, True),
    (sms, "send", True, 1, True),
    (texting, "record_accepted", False, 1, True),
    (texting, "record_accepted", True, 1, False),
    (hearing, "join_reports", False, 1, False),
    (client, "fetch", False, 1, False),
    (telling, "intend_status", False, 1, False),
    (telling, "intend_status", True, 1, False),
    (client, "compare_and_set", False, 1, False),
    (client, "compare_and_set", True, 1, False),
    (telling, "record_status_written", False, 1, False),
    (telling, "record_status_written", True, 1, False),
    (errands, "document_of", False, 1, False),
    (errands, "documents", False, 1, False),
    (jobs, "record_documents_written", False, 1, False),
    (jobs, "record_documents_written", True, 1, False),
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
        assert not Errand.objects.exists()

    def test_leaves_to_its_claim_what_another_finished(self, job, phone):
        [first] = Errand.objects.claim(ErrandKind.SMS)
        desk.wait(hours=1)
        [second] = Errand.objects.claim(ErrandKind.SMS)

        errands._run(second, timezone.now)
        errands._run(first, timezone.now)

        assert len(phone.received) == 1


class TestSms:
    def test_that_was_refused_lets_the_job_go_on_flagged(self, job, phone):
        phone.answers = [sms.SmsRefused("Vonage answered 422")]

        desk.run()

        assert desk.status_of(1) == ("OPENED", "OPENED", "OPENED")
        assert desk.attention(1) == ["the courtesy SMS did not arrive: Vonage answered 422"]
        assert desk.sms_of(1) == [("courtesy", "failed")]

    def test_that_did_not_leave_is_sent_later(self, job, phone):
        phone.answers = [sms.SmsNotSent("Vonage answered 429", retry_after=6_000.0), None]

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
        phone.answers = [sms.SmsNotSent("refused")] * errands.MAX_ATTEMPTS
        for _ in range(errands.MAX_ATTEMPTS):
            desk.run()
            desk.wait(hours=1)
        desk.run()

        assert desk.attention(1)[0].startswith("given up for now: sms")
        assert ClientJob.objects.get().status == "NEW"
        jobs.retry_errand(Errand.objects.quarantined().get(), at=NOON)
        desk.run()

        assert len(phone.received) == 1
        assert desk.attention(1) == []
        assert desk.status_of(1)[0] == "OPENED"

    def test_that_may_have_left_holds_the_job_for_a_while(self, job, phone):
        phone.answers = [sms.SmsUnknown("Vonage answered 500")]

        desk.run()
        assert ClientJob.objects.get().status == "NEW"
        assert desk.attention(1) == ["the courtesy SMS may have been sent, or not"]
        desk.wait(minutes=14)
        desk.run()
        assert ClientJob.objects.get().status == "NEW"
        desk.wait(minutes=2)
        desk.run()

        assert ClientJob.objects.get().status == "OPENED"
        assert desk.attention(1) == ["the courtesy SMS may have been sent, or not"]
        assert len(phone.received) == 1

    @pytest.mark.parametrize(("was_sent", "received"), [(True, 1), (False, 2)])
    def test_that_may_have_left_can_be_settled_by_hand(self, job, phone, was_sent, received):
        phone.answers = [sms.SmsUnknown("timeout")]
        desk.run()

        assert texting.settle_sms(Sms.objects.get(), was_sent=was_sent, at=NOON)
        assert texting.settle_sms(Sms.objects.get(), was_sent=was_sent, at=NOON) is False
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

        waits = [Departure.objects.next(per_second=a_minute_each) for _ in range(4)]

        assert [round(wait / timedelta(minutes=1)) for wait in waits] == [0, 1, 2, 3]

    def test_beyond_a_workers_patience_waits_without_one(self, job, phone, settings):
        settings.SMS_PER_SECOND = 1
        for _ in range(100):
            Departure.objects.next(per_second=1)

        desk.run(ErrandKind.SMS)

        assert phone.received == []
        assert Errand.objects.get(kind=ErrandKind.SMS).attempts == 0


class TestTellingTheClient:
    @pytest.mark.parametrize("status", ["IN PROGRESS", "JOB COMPLETED", "ON HOLD", None])
    def test_overwrites_nothing_that_changed_at_that_moment(self, job, monkeypatch, status):
        original = client.compare_and_set

        def race(job_id, **arguments):
            desk.put(job_id, status)
            monkeypatch.setattr(client, "compare_and_set", original)
            return original(job_id, **arguments)

        monkeypatch.setattr(client, "compare_and_set", race)

        desk.run()

        assert ClientJob.objects.get().status == status
        assert "PUT Job_status OPENED" not in desk.ledger(1)
        assert desk.status_of(1)[1] == (status or "")

    def test_of_closed_gives_way_to_more_work(self, job, monkeypatch):
        desk.run()
        desk.put(1, "JOB COMPLETED")
        desk.follow()
        desk.pay(1)
        original = client.compare_and_set

        def race(job_id, **arguments):
            desk.put(job_id, "IN PROGRESS")
            return original(job_id, **arguments)

        monkeypatch.setattr(client, "compare_and_set", race)
        desk.run()
        assert desk.status_of(1) == ("IN PROGRESS", "IN PROGRESS", "IN PROGRESS")
        monkeypatch.setattr(client, "compare_and_set", original)

        desk.put(1, "JOB COMPLETED")
        desk.follow()
        desk.run()

        assert desk.status_of(1) == ("CLOSED", "CLOSED", "CLOSED")

    def test_is_put_off_while_the_client_is_away(self, job, monkeypatch):
        def away(*args, **kwargs):
            raise client.ClientUnavailable("gone")

        with monkeypatch.context() as patch:
            patch.setattr(client, "fetch", away)
            for _ in range(errands.MAX_ATTEMPTS + 3):
                desk.run()
                desk.wait(hours=1)
            patch.setattr(client, "fetch", die_of_content)
            desk.run()
            desk.wait(hours=1)
        assert not Errand.objects.quarantined().exists()

        desk.run()

        assert desk.status_of(1)[0] == "OPENED"

    def test_is_not_taken_for_the_clients_own_word(self, job, monkeypatch):
        crash_in(monkeypatch, client, "compare_and_set", after=True)
        with pytest.raises(Killed):
            desk.run()

        assert desk.follow() == 0
        desk.wait(hours=1)
        desk.run()

        assert desk.ledger(1).count("PUT Job_status OPENED") == 1
        assert not [note for note in desk.ledger(1) if note.startswith("GET Job_status")]

    def test_is_on_record_though_the_client_went_on_before_it_was(self, job, monkeypatch):
        crash_in(monkeypatch, client, "compare_and_set", after=True)
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
        crash_in(monkeypatch, client, "compare_and_set")
        with pytest.raises(Killed):
            desk.run()
        Errand.objects.filter(kind=ErrandKind.STATUS).update(due_at=None)
        desk.put(1, "IN PROGRESS")

        assert desk.follow() == 1

    def test_is_not_undone_by_a_look_from_before(self, job, monkeypatch):
        seen, row = Job.objects.get(), ClientJob.objects.get()
        desk.run()

        assert following._follow(seen, row, at=NOON) is False
        assert Job.objects.get().status == "OPENED"


class TestDocument:
    def test_is_written_when_the_store_is_back(self, job, monkeypatch):
        def away():
            raise DocumentsUnavailable("gone")

        with monkeypatch.context() as patch:
            patch.setattr(errands, "documents", away)
            desk.run()
        desk.wait(hours=1)
        desk.run()

        assert desk.status_of(1) == ("OPENED", "OPENED", "OPENED")

    def test_is_written_anew_if_the_job_changed_meanwhile(self, job, monkeypatch):
        original = errands.document_of

        def late(job):
            monkeypatch.setattr(errands, "document_of", original)
            document = original(job)
            parts.add_part(job_id=1, part_number="P", name="Pump", quantity=1)
            return document

        monkeypatch.setattr(errands, "document_of", late)
        desk.run()

        assert desk.documents().get("00001")["parts"][0]["name"] == "Pump"

    def test_that_cannot_be_stored_is_quarantined(self, job, monkeypatch):
        monkeypatch.setattr(errands, "document_of", die_of_content)
        for _ in range(errands.MAX_ATTEMPTS):
            desk.run()
            desk.wait(hours=1)

        errand = Errand.objects.quarantined().get()
        assert errand.last_error == "ValueError: no JSON"

    def test_that_was_given_up_is_written_when_the_job_changes(self, job, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(errands, "document_of", die_of_content)
            for _ in range(errands.MAX_ATTEMPTS):
                desk.run()
                desk.wait(hours=1)
        desk.run()
        assert Errand.objects.quarantined().exists()

        desk.put(1, "IN PROGRESS")
        desk.follow()
        desk.run()

        assert desk.status_of(1) == ("IN PROGRESS", "IN PROGRESS", "IN PROGRESS")
        assert not Errand.objects.exists()

    def test_of_many_jobs_costs_each_but_its_own_writing(self, django_assert_max_num_queries):
        ClientJobFactory.create_batch(50)
        desk.collect()

        # At most four to put each: an update, or a savepoint with an insert.
        with django_assert_max_num_queries(50 * 4 + 20, using="repairjobs"):
            assert desk.run(ErrandKind.DOCUMENT) == 50

        assert not Errand.objects.filter(kind=ErrandKind.DOCUMENT).exists()

    def test_that_cannot_be_stored_keeps_back_no_other(self, monkeypatch):
        rows = ClientJobFactory.create_batch(3)
        desk.collect()
        original = errands.document_of

        def document_of(job):
            if job.pk == rows[1].pk:
                raise ValueError("no JSON")
            return original(job)

        monkeypatch.setattr(errands, "document_of", document_of)
        errands.run_errands(ErrandKind.DOCUMENT, clock=timezone.now)

        left = Errand.objects.get(kind=ErrandKind.DOCUMENT)
        assert (left.job_id, left.last_error) == (rows[1].pk, "ValueError: no JSON")

    def test_waits_with_all_that_were_claimed_with_it(self, monkeypatch):
        ClientJobFactory.create_batch(3)
        desk.collect()
        written = []

        def put(document, *, version):
            if written:
                raise DocumentsUnavailable("gone")
            written.append(document["job_id"])

        store = errands.documents()
        monkeypatch.setattr(store, "put", put)
        monkeypatch.setattr(errands, "documents", lambda: store)
        errands.run_errands(ErrandKind.DOCUMENT, clock=timezone.now)

        left = Errand.objects.filter(kind=ErrandKind.DOCUMENT)
        assert list(left.values_list("last_error", flat=True)) == [
            "DocumentsUnavailable: gone",
            "DocumentsUnavailable: gone",
        ]


class TestReports:
    def report(self, status="delivered", *, message_uuid="uuid-1", reference=""):
        return hearing.record_delivery(
            message_uuid=message_uuid, reference=reference, status=status, reason="", at=NOON
        )

    @pytest.mark.parametrize("order", [["submitted", "delivered"], ["delivered", "submitted"]])
    def test_move_an_sms_forward_only(self, job, order):
        desk.run()

        for status in order * 2:
            self.report(status)

        assert Sms.objects.get().state == SmsState.DELIVERED
        assert DeliveryReport.objects.count() == 2

    def test_settle_an_sms_that_may_have_left(self, job, phone):
        phone.answers = [sms.SmsUnknown("timeout")]
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
        phone.answers = [sms.SmsNotSent("429")]
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
        return hearing.receive_sms(
            message_uuid=message_uuid, sender=sender, recipient="447700900999", text=text, at=NOON
        )

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
        with pytest.raises(texting.CannotText):
            texting.send_private_message(job_id=1, text="Hello", at=NOON)

        self.reply("START", message_uuid="in-2")
        texting.send_private_message(job_id=1, text="Hello", at=NOON)
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
        assert not Errand.objects.exists()

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
