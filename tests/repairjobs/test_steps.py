import pytest

from repairjobs.integrations.documents import document_store
from repairjobs.models import ClientJob, Job, JobTransaction, OptOut, OutboxTask, Sms
from repairjobs.services import holds, job_import, job_sync
from tests.deadlines import after
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import ClientJobFactory
from tests.support.repairjobs.workflow_driver import NOON

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])


@pytest.fixture(autouse=True)
def live(phone):
    driver.go_live()


class TestCollect:
    def test_carries_a_new_job_to_opened(self, phone):
        ClientJobFactory(job_id=123)

        driver.import_jobs()
        driver.run_outbox()

        assert driver.statuses_of(123) == ("OPENED", "OPENED", "OPENED")
        assert [to for to, text in phone.received] == ["+447700900123"]
        assert "00123" in phone.received[0][1]
        assert driver.ledger_of(123) == [
            "GET new job",
            "EVENT courtesy SMS accepted",
            "PUT Job_status OPENED",
        ]
        assert document_store().get("00123") == {
            "job_id": "00123",
            "job_date": "2021-01-01",
            "job_type": "REPAIR",
            "job_status": "OPENED",
            "customer": [
                {
                    "client_firstname": "Test",
                    "client_lastname": "Customer",
                    "client_postcode": "AB1 2CD",
                    "client_mobile": "07700 900123",
                }
            ],
            "product": [{"product_id": "WM-1", "product_type": "Washing machine"}],
            "paid": False,
            "parts": [],
            "attention": [],
        }
        assert not OutboxTask.objects.exists()

    def test_writes_nothing_when_it_finds_nothing(self):
        ClientJobFactory()
        driver.import_jobs()
        before = JobTransaction.objects.count()

        assert driver.import_jobs() == 0
        assert driver.sync_jobs() == 0

        assert JobTransaction.objects.count() == before

    @pytest.mark.parametrize("status", ["NEW", "new", "  New ", "nEW\t"])
    def test_takes_new_in_any_spelling(self, status):
        ClientJobFactory(job_id=1, status=status)

        driver.import_jobs()
        driver.run_outbox()

        assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")

    @pytest.mark.parametrize("status", [None, "", "RENEW", "NEW ONE", "OPENED", "CLOSED"])
    def test_leaves_what_is_not_new(self, status):
        ClientJobFactory(job_id=1, status=status)

        assert driver.import_jobs() == 0

    def test_takes_a_row_of_nothing(self, phone):
        columns = dict.fromkeys(
            ["type", "firstname", "lastname", "postcode", "mobile", "product_id", "product_type"]
        )
        ClientJobFactory(job_id=1, **columns)

        driver.import_jobs()
        driver.run_outbox()

        assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
        assert phone.received == []

    @pytest.mark.parametrize("late", [1_999, -5])
    def test_finds_ids_that_come_late(self, late):
        ClientJobFactory(job_id=2_000)
        driver.import_jobs()
        ClientJobFactory(job_id=late)

        assert driver.import_jobs() == 1

    def test_leaves_what_stands_far_below_to_the_sweep(self, monkeypatch):
        monkeypatch.setattr(job_import, "LOOK_BACK", 2)
        for job_id in (10, 20, 30):
            ClientJobFactory(job_id=job_id)
        driver.import_jobs()
        for job_id in (-5, 11):
            ClientJobFactory(job_id=job_id)

        assert driver.import_jobs() == 0
        assert job_import.scan_table(at=NOON) == 2
        ClientJobFactory(job_id=-7)
        assert job_import.scan_table(at=NOON) == 1

    def test_is_not_blinded_by_the_highest_id_of_all(self):
        ClientJobFactory(job_id=2**31 - 1)
        driver.import_jobs()
        ClientJobFactory(job_id=7)

        job_import.scan_table(at=NOON)

        assert Job.objects.filter(pk=7).exists()

    def test_takes_more_than_a_chunk(self, monkeypatch):
        monkeypatch.setattr(job_import, "BATCH_SIZE", 3)
        monkeypatch.setattr("repairjobs.models.client.BATCH_SIZE", 2)
        ClientJobFactory.create_batch(10)

        assert driver.import_jobs() == 10

    def test_goes_on_where_it_was_cut_short(self, monkeypatch):
        monkeypatch.setattr(job_import, "BATCH_SIZE", 3)
        monkeypatch.setattr(job_import, "LOOK_BACK", 4)
        ClientJobFactory.create_batch(10)

        taken = [job_import.import_new_jobs(at=NOON, has_time_left=after(1)) for _ in range(4)]

        assert sum(taken) == 10
        assert min(taken) > 0
        assert Job.objects.count() == 10

    def test_takes_many_with_few_queries(self, django_assert_max_num_queries):
        ClientJobFactory.create_batch(300)

        with django_assert_max_num_queries(40, using="repairjobs"):
            assert driver.import_jobs() == 300

        assert OutboxTask.objects.filter(kind="sms").count() == 300
        assert OutboxTask.objects.filter(kind="document").count() == 300

    def test_texts_who_can_be_texted_among_many(self, phone):
        OptOut.objects.create(number="+447700900002", since=NOON)
        for job_id, mobile in enumerate(["07700 900001", "07700 900002", "none", None], 1):
            ClientJobFactory(job_id=job_id, mobile=mobile)

        driver.import_jobs()
        driver.run_outbox()

        assert [to for to, text in phone.received] == ["+447700900001"]
        assert [driver.sms_of(job_id) for job_id in range(1, 5)] == [
            [("courtesy", "accepted")],
            *[[("courtesy", "suppressed")]] * 3,
        ]
        assert set(ClientJob.objects.values_list("status", flat=True)) == {"OPENED"}

    def test_sweeps_in_pieces_round_and_round(self, monkeypatch):
        ClientJobFactory(job_id=5_000)
        driver.import_jobs()
        monkeypatch.setattr(job_import, "SCAN_ROWS", 2)
        for job_id in range(1, 6):
            ClientJobFactory(job_id=job_id)

        found = [job_import.scan_table(at=NOON) for _ in range(5)]
        ClientJobFactory(job_id=0)

        assert found == [2, 2, 1, 0, 0]
        assert sum(job_import.scan_table(at=NOON) for _ in range(5)) == 1

    def test_flags_a_closed_job_that_is_new_again(self):
        carry_to_closed(1)
        driver.set_client_status(1, "NEW")

        driver.import_jobs()
        driver.import_jobs()

        assert driver.ledger_of(1)[-1] == "GET Job_status NEW after CLOSED"
        assert driver.ledger_of(1).count("GET Job_status NEW after CLOSED") == 1
        assert driver.attention_of(1) == ["CLOSED before, and now NEW at the client"]


def carry_to_opened(job_id, **columns):
    ClientJobFactory(job_id=job_id, **columns)
    driver.import_jobs()
    driver.run_outbox()


def carry_to_closed(job_id):
    carry_to_opened(job_id)
    driver.set_client_status(job_id, "JOB COMPLETED")
    driver.sync_jobs()
    driver.pay(job_id, reference=f"P-{job_id}")
    driver.run_outbox()


class TestGoingLive:
    """The first collect of an empty store."""

    @pytest.fixture(autouse=True)
    def live(self, phone):
        """Not yet."""

    def test_texts_the_customers_of_a_few(self, phone):
        ClientJobFactory.create_batch(20)

        driver.import_jobs()
        driver.run_outbox()

        assert len(phone.received) == 20

    def test_texts_nobody_of_many_until_somebody_decides(self, phone):
        rows = ClientJobFactory.create_batch(21)

        driver.import_jobs()
        driver.import_jobs()
        driver.run_outbox()

        assert phone.received == []
        assert Job.objects.filter(status="NEW").count() == 21
        assert driver.attention_of(rows[0].job_id) == [
            "on hold since going live: adopt_jobs decides whether to text"
        ]

    def test_texts_who_comes_later_all_the_same(self, phone):
        ClientJobFactory.create_batch(21)
        driver.import_jobs()
        later = ClientJobFactory()

        driver.import_jobs()
        driver.run_outbox()

        assert driver.statuses_of(later.job_id)[0] == "OPENED"
        assert len(phone.received) == 1

    @pytest.mark.parametrize(("text", "received"), [(True, 21), (False, 0)])
    def test_opens_them_when_somebody_has_decided(self, phone, text, received):
        ClientJobFactory.create_batch(21)
        driver.import_jobs()
        holds.release_held_jobs(text=text, at=NOON)
        holds.release_held_jobs(text=text, at=NOON)

        driver.run_outbox()

        assert len(phone.received) == received
        assert ClientJob.objects.filter(status="OPENED").count() == 21
        assert driver.attention_of(Job.objects.first().pk) == []

    def test_holds_all_when_it_breaks_off(self, phone, monkeypatch):
        monkeypatch.setattr(job_import, "BATCH_SIZE", 10)
        ClientJobFactory.create_batch(30)
        with monkeypatch.context() as patch:
            patch.setattr(job_import, "_complete_import", lambda at: None)
            driver.import_jobs()
        ClientJobFactory(job_id=1_000_000)

        driver.import_jobs()
        driver.run_outbox()

        assert phone.received == []

    def test_is_over_when_the_first_look_was_not_cut_short(self, phone, monkeypatch):
        monkeypatch.setattr(job_import, "BATCH_SIZE", 10)
        ClientJobFactory.create_batch(30)

        for _ in range(3):
            job_import.import_new_jobs(at=NOON, has_time_left=after(1))
        driver.run_outbox()

        assert Job.objects.filter(is_on_hold=True).count() == 30
        assert phone.received == []


class TestFollow:
    def test_brings_a_change_of_the_clients_to_ledger_and_document(self):
        carry_to_opened(1)
        driver.set_client_status(1, " in  progress ")

        assert driver.sync_jobs() == 1
        assert driver.sync_jobs() == 0
        driver.run_outbox()

        assert driver.statuses_of(1)[1:] == ("IN PROGRESS", "IN PROGRESS")
        assert driver.ledger_of(1)[-1] == "GET Job_status IN PROGRESS"

    def test_notes_a_step_that_was_skipped(self):
        carry_to_opened(1)
        driver.set_client_status(1, "JOB COMPLETED")

        driver.sync_jobs()

        assert driver.ledger_of(1)[-1] == "GET Job_status JOB COMPLETED (IN PROGRESS skipped)"

    def test_notes_a_step_back(self):
        carry_to_opened(1)
        driver.set_client_status(1, "NEW")

        driver.sync_jobs()
        driver.run_outbox()

        assert "GET Job_status NEW (back from OPENED)" in driver.ledger_of(1)
        assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
        assert len(driver.sms_of(1)) == 1

    @pytest.mark.parametrize("status", ["ON HOLD", None, "x" * 255, "ß" * 255])
    def test_flags_a_status_it_does_not_know(self, status):
        carry_to_opened(1)
        driver.set_client_status(1, status)

        driver.sync_jobs()
        driver.sync_jobs()

        assert "is unknown" in driver.attention_of(1)[0]
        assert len(driver.ledger_of(1)) == 4

    def test_brings_changed_facts_without_saying_them(self):
        carry_to_opened(1)
        ClientJob.objects.filter(pk=1).update(mobile="07700 900456", lastname=None)

        driver.sync_jobs()
        driver.run_outbox()

        assert driver.ledger_of(1)[-1] == "GET Client_lastname, Client_mobile changed"
        customer = document_store().get("00001")["customer"][0]
        assert (customer["client_mobile"], customer["client_lastname"]) == ("07700 900456", "")

    def test_flags_a_row_that_has_gone_until_it_is_back(self):
        carry_to_opened(1)
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

    def test_opens_a_row_that_came_back(self):
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

    def test_looks_at_jobs_in_chunks(self, monkeypatch):
        monkeypatch.setattr("repairjobs.models.jobs.BATCH_SIZE", 3)
        ClientJobFactory.create_batch(10)
        driver.import_jobs()
        ClientJob.objects.update(status="IN PROGRESS")

        assert driver.sync_jobs() == 10

    def test_cut_short_comes_to_all_when_it_begins_anywhere(self, monkeypatch):
        monkeypatch.setattr("repairjobs.models.jobs.BATCH_SIZE", 3)
        ids = [row.job_id for row in ClientJobFactory.create_batch(10)]
        driver.import_jobs()
        ClientJob.objects.update(status="IN PROGRESS")

        for start in ids:
            job_sync.sync_jobs(at=NOON, start=start, has_time_left=after(1))

        assert Job.objects.filter(status="IN PROGRESS").count() == 10

    def test_may_begin_anywhere_among_the_jobs(self):
        assert isinstance(Job.objects.none().random_id(), int)
        ids = {row.job_id for row in ClientJobFactory.create_batch(3)}
        driver.import_jobs()

        assert {Job.objects.all().random_id() for _ in range(100)} == ids


class TestClose:
    def test_comes_when_completed_and_then_paid(self, phone):
        carry_to_opened(1)
        driver.set_client_status(1, "JOB COMPLETED")
        driver.sync_jobs()
        driver.run_outbox()
        assert len(phone.received) == 1

        driver.pay(1)
        driver.run_outbox()

        assert_closed(phone)

    def test_comes_when_paid_and_then_completed(self, phone):
        carry_to_opened(1)
        driver.pay(1)
        driver.run_outbox()
        assert len(phone.received) == 1

        driver.set_client_status(1, "job completed")
        driver.sync_jobs()
        driver.run_outbox()

        assert_closed(phone)

    def test_comes_when_paid_before_it_was_even_opened(self, phone):
        ClientJobFactory(job_id=1)
        driver.import_jobs()
        driver.pay(1)
        driver.run_outbox()
        driver.set_client_status(1, "JOB COMPLETED")
        driver.sync_jobs()
        driver.run_outbox()

        assert_closed(phone)

    def test_is_not_repeated(self, phone):
        carry_to_closed(1)
        before = driver.ledger_of(1)

        driver.import_jobs()
        driver.sync_jobs()
        driver.run_outbox()

        assert driver.ledger_of(1) == before
        assert len(phone.received) == 2

    def test_by_the_client_itself_waits_for_the_payment_and_writes_nothing(self, phone):
        carry_to_opened(1)
        driver.set_client_status(1, "CLOSED")
        driver.sync_jobs()
        assert driver.attention_of(1) == ["closed by the client without a payment"]

        driver.pay(1)
        driver.run_outbox()

        assert driver.attention_of(1) == []
        assert len(phone.received) == 2
        assert "PUT Job_status CLOSED" not in driver.ledger_of(1)
        assert Job.objects.get(pk=1).closed_at

    def test_waits_while_the_client_goes_back_to_work(self):
        carry_to_opened(1)
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

    def test_goes_over_the_clients_own_status_for_paid(self, settings):
        settings.CLIENT_PAID_STATUS = "Paid"
        carry_to_opened(1)
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


def assert_closed(phone):
    assert driver.statuses_of(1) == ("CLOSED", "CLOSED", "CLOSED")
    assert driver.sms_of(1) == [("courtesy", "accepted"), ("feedback", "accepted")]
    assert len(phone.received) == 2
    notes = driver.ledger_of(1)
    assert notes.count("PUT Job_status OPENED") == notes.count("PUT Job_status CLOSED") == 1
    assert notes[-2:] == ["EVENT feedback SMS accepted", "PUT Job_status CLOSED"]
    assert Sms.objects.count() == 2
    assert not OutboxTask.objects.exists()
