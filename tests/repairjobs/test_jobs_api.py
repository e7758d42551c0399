import base64
import json

import pytest
from django.db import connections

from repairjobs.integrations.sms.base import InboundMessage
from repairjobs.models import Job, JobTransaction, Payment
from repairjobs.services import parts, sms_webhooks
from tests.support.ids import readable
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON, ClientJobFactory

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("live")]

PAYMENT = {"reference": "P-1", "amount": "120.00", "currency": "GBP"}


@pytest.fixture
def job(live):
    """A job that was opened."""
    driver.open_job(123)
    return Job.objects.get()


class TestJobs:
    @pytest.mark.parametrize("job_id", ["123", "00123", "0000000123"])
    def test_a_job_is_found_with_and_without_leading_zeros(self, api, job, job_id):
        for slash in ("", "/"):
            response = api.get(f"/jobs/{job_id}{slash}")

            assert response.status_code == 200
            assert response.json()["job_id"] == "00123"

    def test_a_browser_gets_pages(self, api, job):
        for path in ("/jobs", "/jobs/123", "/jobs/123/messages", "/transactions", "/client/jobs"):
            response = api.get(path, headers={"Accept": "text/html"})

            assert response.status_code == 200
            assert response.headers["Content-Type"].startswith("text/html")

    @pytest.mark.parametrize("path", ["124", "abc", "1" * 30, "%00", "²", "-"])
    def test_an_unknown_job_is_404_below_every_path(self, api, path):
        for subpath in ("", "/transactions", "/messages", "/parts"):
            assert api.get(f"/jobs/{path}{subpath}").status_code == 404
        response = api.post(f"/jobs/{path}/payments", PAYMENT, format="json")
        assert (response.status_code, list(response.json())) == (404, ["detail"])

    def test_jobs_are_filtered_by_status_and_attention(self, api):
        ClientJobFactory(job_id=1)
        ClientJobFactory(job_id=2, mobile="none")
        ClientJobFactory(job_id=3, status="CLOSED")
        driver.import_jobs()
        driver.run_outbox()

        def ids(query):
            return [job["job_id"] for job in api.get(f"/jobs{query}").json()]

        assert ids("") == ids("?status=opened") == ["00001", "00002"]
        assert ids("?status=IN%20PROGRESS") == []
        assert ids("?attention=true") == ["00002"]
        assert ids("?attention=false&status=OPENED") == ["00001"]

    def test_pages_of_jobs_have_every_job_once(self, api):
        ClientJobFactory.create_batch(5)
        driver.import_jobs()
        driver.run_outbox()
        url, ids = "/jobs?limit=2", []

        while url:
            response = api.get(url)
            ids += [job["job_id"] for job in response.json()]
            link = response.headers.get("Link", "")
            url = link.partition(">")[0].removeprefix("<http://testserver")

        assert len(ids) == len(set(ids)) == 5
        assert ids == sorted(ids)

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ("stauts=NEW", "stauts"),
            ("status=OPEN", "status"),
            ("status=", "status"),
            ("status=NEW&status=CLOSED", "status"),
            ("attention=yes", "attention"),
            ("cursor=x", "cursor"),
            ("cursor=WzFd", "cursor"),
            ("limit=0", "limit"),
        ],
    )
    def test_an_unknown_or_invalid_parameter_is_refused_by_name(self, api, query, name):
        response = api.get(f"/jobs?{query}")

        assert (response.status_code, list(response.json())) == (400, [name])


def count_rows_read():
    """Return how many index entries MariaDB has read for this connection."""
    with connections["repairjobs"].cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read_next'")
        return int(cursor.fetchone()[1])


class TestTransactions:
    def test_transactions_have_the_columns_of_the_ledger(self, api, job):
        rows = api.get("/jobs/00123/transactions").json()

        assert [row["Update_note"] for row in rows] == driver.ledger_of(123)
        assert list(rows[0]) == ["Job_id", "Job_status", "creationDate", "Update_note"]
        assert rows[0]["Job_id"] == 123
        assert rows[0]["creationDate"].endswith("Z")
        assert api.get("/transactions").json() == rows

    def test_pages_of_transactions_have_every_line_once(self, api, job):
        first_page = api.get("/transactions?limit=2")
        next_url = first_page.headers["Link"].partition(">")[0].removeprefix("<http://testserver")

        assert len(first_page.json()) + len(api.get(next_url).json()) == 3

    @pytest.mark.skipif(
        connections["repairjobs"].vendor != "mysql", reason="counts the rows that MariaDB reads"
    )
    def test_a_page_in_the_middle_reads_no_more_rows_than_it_has(self, api, job):
        lines = [
            JobTransaction(job=job, status="NEW", created_at=NOON, note="GET") for _ in "a" * 2000
        ]
        JobTransaction.objects.bulk_create(lines)
        previous_line = JobTransaction.objects.order_by("-created_at", "-pk")[20]

        for path in ("/transactions", f"/jobs/{job.pk}/transactions"):
            key = json.dumps([previous_line.created_at.isoformat(), previous_line.pk]).encode()
            cursor = base64.urlsafe_b64encode(key).decode().rstrip("=")
            rows_before = count_rows_read()
            response = api.get(f"{path}?limit=10&cursor={cursor}")
            assert len(response.json()) == 10
            assert count_rows_read() - rows_before < 50


class TestPayments:
    def post(self, api, job_id=123, **changes):
        return api.post(f"/jobs/{job_id}/payments", PAYMENT | changes, format="json")

    def test_a_repeated_payment_is_recorded_once(self, api, job):
        responses = [self.post(api) for _ in range(2)]

        assert [response.status_code for response in responses] == [201, 200]
        assert responses[0].json() == responses[1].json() == PAYMENT
        assert driver.ledger_of(123).count("EVENT payment P-1 received") == 1

    def test_a_payment_of_nothing_is_recorded(self, api, job):
        response = self.post(api, amount="0.00")

        assert (response.status_code, response.json()["amount"]) == (201, "0.00")

    def test_a_known_reference_with_other_content_is_a_conflict(self, api, job):
        ClientJobFactory(job_id=124)
        driver.import_jobs()
        self.post(api)

        assert self.post(api, amount="12.00").json()["conflicts"] == {
            "amount": {"stored": "120.00", "sent": "12.00"}
        }
        response = self.post(api, job_id=124)

        assert response.status_code == 409
        assert response.json()["conflicts"] == {"job_id": {"stored": 123, "sent": 124}}
        assert Payment.objects.count() == 1

    def test_references_are_case_sensitive(self, api, job):
        assert self.post(api, reference="p-1").status_code == 201
        assert self.post(api, reference="P-1").status_code == 201

    def test_a_closed_job_takes_another_payment(self, api, job):
        self.post(api)
        driver.set_client_status(123, "JOB COMPLETED")
        driver.sync_jobs()
        driver.run_outbox()

        assert self.post(api, reference="P-2").status_code == 201
        assert driver.run_outbox() == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"amount": 120},
            {"amount": "120"},
            {"amount": "-1.00"},
            {"amount": "1e2"},
            {"amount": "1.000"},
            {"amount": "1" * 13 + ".00"},
            {"amount": "١.٠٠"},
            {"amount": "NaN"},
            {"currency": "gbp"},
            {"currency": "GBPS"},
            {"reference": ""},
            {"reference": " "},
            {"reference": "a\0b"},
            {"reference": "x" * 201},
            {"reference": 5},
            {"reference": None},
        ],
        ids=readable,
    )
    def test_a_malformed_payment_is_refused_by_field(self, api, job, changes):
        response = self.post(api, **changes)

        assert (response.status_code, set(response.json())) == (400, set(changes))


class TestMessages:
    def test_messages_of_both_directions_are_listed(self, api, job, vonage):
        created = api.post("/jobs/123/messages", {"text": "Come at noon"}, format="json")
        driver.run_outbox()
        reply = InboundMessage("in-1", "447700900123", "447700900999", "Yes")
        sms_webhooks.receive_message(reply, at=NOON)

        rows = api.get("/jobs/123/messages").json()

        assert created.status_code == 201
        last_sms = vonage.accepted[-1]
        assert (last_sms.to, last_sms.text) == ("447700900123", "Come at noon")
        assert {row["kind"] for row in rows} == {"courtesy", "private", "inbound"}
        private = next(row for row in rows if row["kind"] == "private")
        assert private["to"] == "+447700900123"
        assert private["state"] == "accepted"

    def test_a_message_to_an_unusable_number_is_refused(self, api):
        ClientJobFactory(job_id=1, mobile=None)
        driver.import_jobs()

        response = api.post("/jobs/1/messages", {"text": "Hello"}, format="json")

        assert response.status_code == 409
        assert response.json()["detail"] == "the number cannot be texted"

    @pytest.mark.parametrize("text", ["", " ", None, 5, "x" * 1_001, "a\0"], ids=readable)
    def test_an_invalid_text_is_refused(self, api, job, text):
        response = api.post("/jobs/123/messages", {"text": text}, format="json")

        assert (response.status_code, list(response.json())) == (400, ["text"])


class TestParts:
    def test_a_part_goes_from_needed_to_fitted_and_is_in_the_document(self, api, job):
        part = {"part_number": "PUMP-40", "name": "Drain pump", "quantity": 2}
        created = api.post("/jobs/123/parts", part, format="json")
        changed = api.patch(
            f"/jobs/123/parts/{created.json()['id']}", {"status": "fitted"}, format="json"
        )
        driver.run_outbox()

        assert (created.status_code, created.json()["status"]) == (201, "needed")
        assert (changed.status_code, changed.json()["status"]) == (200, "fitted")
        assert api.get("/jobs/123").json()["parts"] == api.get("/jobs/123/parts").json()
        assert [row["job_id"] for row in api.get("/parts?status=fitted").json()] == ["00123"]
        assert api.get("/parts?status=needed").json() == []

    def test_a_part_of_another_job_is_404(self, api, job):
        ClientJobFactory(job_id=124)
        driver.import_jobs()
        part = parts.add_part(job_id=124, part_number="P", name="Pump", quantity=1, at=NOON)

        response = api.patch(f"/jobs/123/parts/{part.pk}", {"status": "fitted"}, format="json")

        assert response.status_code == 404

    @pytest.mark.parametrize(
        "changes",
        [{"quantity": 0}, {"quantity": "many"}, {"name": ""}, {"part_number": "x" * 65}],
        ids=readable,
    )
    def test_a_malformed_part_is_refused_by_field(self, api, job, changes):
        part = {"part_number": "P", "name": "Pump", "quantity": 1} | changes
        response = api.post("/jobs/123/parts", part, format="json")

        assert (response.status_code, list(response.json())) == (400, list(changes))

    def test_an_unknown_status_of_a_part_is_refused(self, api, job):
        part = parts.add_part(job_id=123, part_number="P", name="Pump", quantity=1, at=NOON)

        response = api.patch(f"/jobs/123/parts/{part.pk}", {"status": "lost"}, format="json")

        assert response.json() == {
            "status": ["Must be needed, ordered, received or fitted, not lost."]
        }
        assert api.get("/parts?status=lost").status_code == 400


def test_readiness_includes_mongodb(api, settings, closed_mongo_url):
    settings.MONGO_URL = closed_mongo_url

    response = api.get("/readyz")

    assert (response.status_code, response.json()["checks"]["documents"]) == (503, "unavailable")
    assert api.get("/jobs").status_code == 503


def test_documents_come_from_mongodb_if_the_settings_name_one(api, settings, mongo_documents):
    settings.MONGO_URL = mongo_documents.url
    ClientJobFactory(job_id=123)
    driver.import_jobs()
    driver.run_outbox()

    assert api.get("/jobs?status=OPENED").json()[0]["job_id"] == "00123"
    assert api.get("/readyz").json()["checks"]["documents"] == "ok"
