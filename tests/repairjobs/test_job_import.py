import pytest

from repairjobs.integrations.documents import document_store
from repairjobs.models import ClientJob, Job, JobTransaction, OptOut, OutboxTask
from repairjobs.services import job_import
from tests.deadlines import after
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory

pytestmark = [
    pytest.mark.django_db(databases=["repairjobs", "client"]),
    pytest.mark.usefixtures("live"),
]


class TestImport:
    def test_a_new_job_is_imported_texted_and_opened(self, vonage):
        ClientJobFactory(job_id=123)

        driver.import_jobs()
        driver.run_outbox()

        assert driver.statuses_of(123) == ("OPENED", "OPENED", "OPENED")
        assert vonage.numbers == ["+447700900123"]
        assert "00123" in vonage.accepted[0].text
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

    def test_an_import_and_a_sync_that_find_nothing_write_nothing(self):
        ClientJobFactory()
        driver.import_jobs()
        lines_before = JobTransaction.objects.count()

        assert driver.import_jobs() == 0
        assert driver.sync_jobs() == 0

        assert JobTransaction.objects.count() == lines_before

    @pytest.mark.parametrize("status", ["NEW", "new", "  New ", "nEW\t"])
    def test_new_is_recognised_in_any_spelling(self, status):
        driver.open_job(1, status=status)

        assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")

    @pytest.mark.parametrize("status", [None, "", "RENEW", "NEW ONE", "OPENED", "CLOSED"])
    def test_rows_with_other_statuses_are_not_imported(self, status):
        ClientJobFactory(job_id=1, status=status)

        assert driver.import_jobs() == 0

    def test_a_row_of_nulls_is_imported_without_an_sms(self, vonage):
        columns = dict.fromkeys(
            ["type", "firstname", "lastname", "postcode", "mobile", "product_id", "product_type"]
        )

        driver.open_job(1, **columns)

        assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
        assert vonage.accepted == []

    @pytest.mark.parametrize("late_id", [1_999, -5])
    def test_an_id_within_the_look_back_is_imported_late(self, late_id):
        ClientJobFactory(job_id=2_000)
        driver.import_jobs()
        ClientJobFactory(job_id=late_id)

        assert driver.import_jobs() == 1

    def test_more_rows_than_a_batch_are_imported_in_one_run(self, monkeypatch):
        monkeypatch.setattr(job_import, "BATCH_SIZE", 3)
        monkeypatch.setattr("repairjobs.models.client.BATCH_SIZE", 2)
        ClientJobFactory.create_batch(10)

        assert driver.import_jobs() == 10

    def test_an_import_out_of_time_is_continued_by_the_next(self, monkeypatch):
        monkeypatch.setattr(job_import, "BATCH_SIZE", 3)
        monkeypatch.setattr(job_import, "LOOK_BACK", 4)
        ClientJobFactory.create_batch(10)

        counts = [job_import.import_new_jobs(at=NOON, has_time_left=after(1)) for _ in range(4)]

        assert sum(counts) == 10
        assert min(counts) > 0
        assert Job.objects.count() == 10

    def test_three_hundred_jobs_are_imported_with_forty_queries(
        self, django_assert_max_num_queries
    ):
        ClientJobFactory.create_batch(300)

        with django_assert_max_num_queries(40, using="repairjobs"):
            assert driver.import_jobs() == 300

        assert OutboxTask.objects.filter(kind="sms").count() == 300
        assert OutboxTask.objects.filter(kind="document").count() == 300

    def test_only_customers_who_can_be_texted_are_texted(self, vonage):
        OptOut.objects.create(number="+447700900002", since=NOON)
        for job_id, mobile in enumerate(["07700 900001", "07700 900002", "none", None], 1):
            ClientJobFactory(job_id=job_id, mobile=mobile)

        driver.import_jobs()
        driver.run_outbox()

        assert vonage.numbers == ["+447700900001"]
        assert [driver.sms_of(job_id) for job_id in range(1, 5)] == [
            [("courtesy", "accepted")],
            *[[("courtesy", "suppressed")]] * 3,
        ]
        assert set(ClientJob.objects.values_list("status", flat=True)) == {"OPENED"}

    def test_a_closed_job_that_is_new_again_is_flagged(self):
        driver.close_job(1)
        driver.set_client_status(1, "NEW")

        driver.import_jobs()
        driver.import_jobs()

        assert driver.ledger_of(1)[-1] == "GET Job_status NEW after CLOSED"
        assert driver.ledger_of(1).count("GET Job_status NEW after CLOSED") == 1
        assert driver.attention_of(1) == ["CLOSED before, and now NEW at the client"]


class TestFullScan:
    def test_rows_below_the_look_back_are_left_to_the_full_scan(self, monkeypatch):
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

    def test_the_highest_possible_id_does_not_hide_later_rows(self):
        ClientJobFactory(job_id=2**31 - 1)
        driver.import_jobs()
        ClientJobFactory(job_id=7)

        job_import.scan_table(at=NOON)

        assert Job.objects.filter(pk=7).exists()

    def test_the_full_scan_goes_through_the_table_in_pieces_and_starts_over(self, monkeypatch):
        ClientJobFactory(job_id=5_000)
        driver.import_jobs()
        monkeypatch.setattr(job_import, "SCAN_ROWS", 2)
        for job_id in range(1, 6):
            ClientJobFactory(job_id=job_id)

        counts = [job_import.scan_table(at=NOON) for _ in range(5)]
        ClientJobFactory(job_id=0)

        assert counts == [2, 2, 1, 0, 0]
        assert sum(job_import.scan_table(at=NOON) for _ in range(5)) == 1
