import base64
import json

import pytest
from django.db import connections

from repairjobs.integrations.client_database import ClientUnavailable
from repairjobs.integrations.sms.base import InboundMessage
from repairjobs.models import ClientJob, DeliveryReceipt, Job, JobTransaction, Payment, Sms
from repairjobs.services import parts, sms_webhooks
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import ClientJobFactory
from tests.support.repairjobs.fake_vonage import FakeVonage
from tests.support.repairjobs.workflow_driver import NOON

pytestmark = pytest.mark.django_db(databases="__all__")

PAYMENT = {"reference": "P-1", "amount": "120.00", "currency": "GBP"}


@pytest.fixture(autouse=True)
def live(phone):
    driver.go_live()


@pytest.fixture
def job():
    ClientJobFactory(job_id=123)
    driver.import_jobs()
    driver.run_outbox()
    return Job.objects.get()


class TestJobs:
    @pytest.mark.parametrize("spelled", ["123", "00123", "0000000123"])
    def test_are_found_by_id_in_either_spelling(self, api, job, spelled):
        for slash in ("", "/"):
            answer = api.get(f"/jobs/{spelled}{slash}")

            assert answer.status_code == 200
            assert answer.json()["job_id"] == "00123"

    def test_are_pages_in_a_browser(self, api, job):
        for path in ("/jobs", "/jobs/123", "/jobs/123/messages", "/transactions", "/client/jobs"):
            answer = api.get(path, headers={"Accept": "text/html"})

            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/html")

    @pytest.mark.parametrize("path", ["124", "abc", "1" * 30, "%00", "²", "-"])
    def test_that_are_unknown_are_404(self, api, path):
        for below in ("", "/transactions", "/messages", "/parts"):
            assert api.get(f"/jobs/{path}{below}").status_code == 404
        answer = api.post(f"/jobs/{path}/payments", PAYMENT, format="json")
        assert (answer.status_code, list(answer.json())) == (404, ["detail"])

    def test_are_filtered_by_status_and_attention(self, api):
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

    def test_come_in_pages(self, api):
        ClientJobFactory.create_batch(5)
        driver.import_jobs()
        driver.run_outbox()
        url, seen = "/jobs?limit=2", []

        while url:
            answer = api.get(url)
            seen += [job["job_id"] for job in answer.json()]
            link = answer.headers.get("Link", "")
            url = link.partition(">")[0].removeprefix("<http://testserver")

        assert len(seen) == len(set(seen)) == 5
        assert seen == sorted(seen)

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
    def test_refuse_what_they_do_not_know(self, api, query, name):
        answer = api.get(f"/jobs?{query}")

        assert (answer.status_code, list(answer.json())) == (400, [name])


def rows_read():
    """Steps along an index that MariaDB made for this connection."""
    with connections["repairjobs"].cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read_next'")
        return int(cursor.fetchone()[1])


class TestTransactions:
    def test_are_listed_in_the_ledgers_own_words(self, api, job):
        rows = api.get("/jobs/00123/transactions").json()

        assert [row["Update_note"] for row in rows] == driver.ledger_of(123)
        assert list(rows[0]) == ["Job_id", "Job_status", "creationDate", "Update_note"]
        assert rows[0]["Job_id"] == 123
        assert rows[0]["creationDate"].endswith("Z")
        assert api.get("/transactions").json() == rows

    def test_come_in_pages(self, api, job):
        first = api.get("/transactions?limit=2")
        rest = first.headers["Link"].partition(">")[0].removeprefix("<http://testserver")

        assert len(first.json()) + len(api.get(rest).json()) == 3

    @pytest.mark.skipif(
        connections["repairjobs"].vendor != "mysql", reason="counts the rows that MariaDB reads"
    )
    def test_cost_a_page_wherever_it_is(self, api, job):
        lines = [
            JobTransaction(job=job, status="NEW", created_at=NOON, note="GET") for _ in "a" * 2000
        ]
        JobTransaction.objects.bulk_create(lines)
        last = JobTransaction.objects.order_by("-created_at", "-pk")[20]

        for path in ("/transactions", f"/jobs/{job.pk}/transactions"):
            key = json.dumps([last.created_at.isoformat(), last.pk]).encode()
            cursor = base64.urlsafe_b64encode(key).decode().rstrip("=")
            before = rows_read()
            answer = api.get(f"{path}?limit=10&cursor={cursor}")
            assert len(answer.json()) == 10
            assert rows_read() - before < 50


class TestPayments:
    def post(self, api, job_id=123, **changes):
        return api.post(f"/jobs/{job_id}/payments", PAYMENT | changes, format="json")

    def test_are_recorded_once(self, api, job):
        answers = [self.post(api) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 200]
        assert answers[0].json() == answers[1].json() == PAYMENT
        assert driver.ledger_of(123).count("EVENT payment P-1 received") == 1

    def test_under_a_known_reference_conflict(self, api, job):
        ClientJobFactory(job_id=124)
        driver.import_jobs()
        self.post(api)

        assert self.post(api, amount="12.00").json()["conflicts"] == {
            "amount": {"stored": "120.00", "sent": "12.00"}
        }
        answer = self.post(api, job_id=124)

        assert answer.status_code == 409
        assert answer.json()["conflicts"] == {"job_id": {"stored": 123, "sent": 124}}
        assert Payment.objects.count() == 1

    def test_tell_references_apart_to_the_letter(self, api, job):
        assert self.post(api, reference="p-1").status_code == 201
        assert self.post(api, reference="P-1").status_code == 201

    def test_are_taken_for_a_closed_job_too(self, api, job):
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
    )
    def test_that_are_malformed_are_refused(self, api, job, changes):
        answer = self.post(api, **changes)

        assert (answer.status_code, set(answer.json())) == (400, set(changes))


class TestMessages:
    def test_show_both_ways(self, api, job, phone):
        sent = api.post("/jobs/123/messages", {"text": "Come at noon"}, format="json")
        driver.run_outbox()
        reply = InboundMessage("in-1", "447700900123", "447700900999", "Yes")
        sms_webhooks.receive_message(reply, at=NOON)

        rows = api.get("/jobs/123/messages").json()

        assert sent.status_code == 201
        assert phone.received[-1] == ("+447700900123", "Come at noon")
        assert {row["kind"] for row in rows} == {"courtesy", "private", "inbound"}
        private = next(row for row in rows if row["kind"] == "private")
        assert private["to"] == "+447700900123"
        assert private["state"] == "accepted"

    def test_to_nobody_are_refused(self, api):
        ClientJobFactory(job_id=1, mobile=None)
        driver.import_jobs()

        answer = api.post("/jobs/1/messages", {"text": "Hello"}, format="json")

        assert answer.status_code == 409
        assert answer.json()["detail"] == "the number cannot be texted"

    @pytest.mark.parametrize("text", ["", " ", None, 5, "x" * 1_001, "a\0"])
    def test_without_words_are_refused(self, api, job, text):
        answer = api.post("/jobs/123/messages", {"text": text}, format="json")

        assert (answer.status_code, list(answer.json())) == (400, ["text"])


class TestParts:
    def test_go_from_needed_to_fitted_and_stand_in_the_document(self, api, job):
        part = {"part_number": "PUMP-40", "name": "Drain pump", "quantity": 2}
        added = api.post("/jobs/123/parts", part, format="json")
        moved = api.patch(
            f"/jobs/123/parts/{added.json()['id']}", {"status": "fitted"}, format="json"
        )
        driver.run_outbox()

        assert (added.status_code, added.json()["status"]) == (201, "needed")
        assert (moved.status_code, moved.json()["status"]) == (200, "fitted")
        assert api.get("/jobs/123").json()["parts"] == api.get("/jobs/123/parts").json()
        assert [row["job_id"] for row in api.get("/parts?status=fitted").json()] == ["00123"]
        assert api.get("/parts?status=needed").json() == []

    def test_of_another_job_are_404(self, api, job):
        ClientJobFactory(job_id=124)
        driver.import_jobs()
        part = parts.add_part(job_id=124, part_number="P", name="Pump", quantity=1, at=NOON)

        answer = api.patch(f"/jobs/123/parts/{part.pk}", {"status": "fitted"}, format="json")

        assert answer.status_code == 404

    @pytest.mark.parametrize(
        "changes", [{"quantity": 0}, {"quantity": "many"}, {"name": ""}, {"part_number": "x" * 65}]
    )
    def test_that_are_malformed_are_refused(self, api, job, changes):
        part = {"part_number": "P", "name": "Pump", "quantity": 1} | changes
        answer = api.post("/jobs/123/parts", part, format="json")

        assert (answer.status_code, list(answer.json())) == (400, list(changes))

    def test_take_no_other_status(self, api, job):
        part = parts.add_part(job_id=123, part_number="P", name="Pump", quantity=1, at=NOON)

        answer = api.patch(f"/jobs/123/parts/{part.pk}", {"status": "lost"}, format="json")

        assert answer.json() == {
            "status": ["Must be needed, ordered, received or fitted, not lost."]
        }
        assert api.get("/parts?status=lost").status_code == 400


class TestSandbox:
    def test_finds_no_id_behind_the_largest(self, api):
        ClientJobFactory(job_id=2**31 - 1)

        refused = api.post("/client/jobs", {"Client_mobile": "07700 900123"}, format="json")

        assert refused.status_code == 409
        assert "there is no id after" in refused.json()["detail"]

    def test_adds_and_changes_the_clients_rows(self, api):
        added = api.post("/client/jobs", {"Client_mobile": "07700 900123"}, format="json")
        again = api.post("/client/jobs", {"Job_id": added.json()["Job_id"]}, format="json")
        path = f"/client/jobs/{added.json()['Job_id']}"
        changed = api.put(path, {"Job_status": "IN PROGRESS"}, format="json")

        assert (added.status_code, added.json()["Job_status"]) == (201, "NEW")
        assert again.status_code == 409
        assert changed.json() == added.json() | {"Job_status": "IN PROGRESS"}
        assert api.get(path).json() == changed.json()
        assert api.get("/client/jobs").json() == [changed.json()]
        assert api.put("/client/jobs/99999", {}, format="json").status_code == 404


class TestWebhooks:
    def post(self, api, hook, where="status", **options):
        authorization = options.pop("authorization", None) or hook.authorization(**options)
        return api.post(
            f"/webhooks/vonage/{where}",
            hook.body,
            content_type="application/json",
            headers={"Authorization": authorization},
        )

    @pytest.fixture
    def hook(self, job):
        sms = Sms.objects.get()
        fake = FakeVonage.__new__(FakeVonage)
        accepted = type("Accepted", (), {"message_uuid": sms.message_uuid, "to": "447700900123",
                        "sender": "447700900000", "client_ref": str(sms.reference)})  # fmt: skip
        return fake.status(accepted, "delivered")

    def test_move_an_sms_on_once(self, api, hook):
        answers = [self.post(api, hook).status_code for _ in range(2)]

        assert answers == [200, 200]
        assert Sms.objects.get().state == "delivered"
        assert DeliveryReceipt.objects.count() == 1

    @pytest.mark.parametrize(
        "options",
        [
            {"secret": "another secret that is long enough for it"},
            {"iat": 1_000_000_000},
            {"payload_hash": "0" * 64},
            {"algorithm": "HS512"},
            {"authorization": "Bearer x"},
            {"authorization": "Basic x"},
        ],
    )
    @pytest.mark.parametrize("where", ["status", "inbound"])
    def test_that_are_not_vonages_change_nothing(self, api, hook, options, where):
        answer = self.post(api, hook, where, **options)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert Sms.objects.get().state == "accepted"
        assert not DeliveryReceipt.objects.exists()

    def test_that_were_altered_change_nothing(self, api, hook):
        authorization = hook.authorization()
        hook.body = hook.body.replace(b"delivered", b"submitted")

        assert self.post(api, hook, authorization=authorization).status_code == 401

    def test_without_a_secret_are_put_off(self, api, hook, settings):
        authorization = hook.authorization()
        settings.VONAGE_SIGNATURE_SECRET = ""

        answer = self.post(api, hook, authorization=authorization)

        assert answer.status_code == 503
        assert answer.headers["Retry-After"]

    def test_bring_a_reply_once(self, api, job):
        fake = FakeVonage.__new__(FakeVonage)
        hook = fake.inbound(sender="+447700900123", text="Very good")

        answers = [self.post(api, hook, "inbound").status_code for _ in range(2)]

        assert answers == [200, 200]
        assert driver.sms_of(123)[-1] == ("inbound", "received")
        assert Sms.objects.filter(kind="inbound").count() == 1

    @pytest.mark.parametrize("body", [b"[]", b"x", b"{}", b'{"message_uuid": 5}', b"\xff"])
    @pytest.mark.parametrize("where", ["status", "inbound"])
    def test_that_are_signed_but_malformed_are_refused(self, api, hook, body, where):
        hook.body = body

        assert self.post(api, hook, where).status_code == 400


def test_a_client_that_is_away_is_503(api, monkeypatch):
    def away(*args, **kwargs):
        raise ClientUnavailable("gone")

    monkeypatch.setattr("repairjobs.integrations.client_database.fetch", away)

    answer = api.get("/client/jobs/1")

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert not ClientJob.objects.exists()


@pytest.mark.engine_independent
def test_a_mongodb_is_among_what_must_be_ready(api, settings):
    settings.MONGO_URL = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=10"

    answer = api.get("/readyz")

    assert (answer.status_code, answer.json()["checks"]["documents"]) == (503, "unavailable")
    assert api.get("/jobs").status_code == 503


def test_documents_come_from_mongodb_where_one_is_set(api, settings, mongo_documents):
    settings.MONGO_URL = mongo_documents.url
    ClientJobFactory(job_id=123)
    driver.import_jobs()
    driver.run_outbox()

    assert api.get("/jobs?status=OPENED").json()[0]["job_id"] == "00123"
    assert api.get("/readyz").json()["checks"]["documents"] == "ok"
