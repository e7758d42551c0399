"""Scheduled jobs as Lambda functions, without any Celery process."""

import json
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from repairjobs.services.job_import import LOOK_BACK
from serverless.handlers import SPARE_SECONDS
from tests.processes import eventually
from tests.serverless.gateway import gateway, http_api, read
from tests.serverless.runtime import TIMED_OUT, Failed, Function
from tests.support.repairjobs.embedded_databases import EmbeddedDatabases
from tests.support.repairjobs.fake_vonage import Fault, running_vonage

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="freezes processes by Linux's rules"),
]
JSON = {"content_type": "application/json"}


@pytest.fixture
def vonage():
    with running_vonage() as fake:
        yield fake
    assert fake.record.problems == []


class Databases(EmbeddedDatabases):
    def put(self, job_id, status):
        self.ask("client", "UPDATE Jobs SET Job_status = ? WHERE Job_id = ?", status, job_id)

    def status_of(self, job_id):
        return self.ask("client", "SELECT Job_status FROM Jobs WHERE Job_id = ?", job_id)[0][0]

    def sms(self):
        return Counter(s for (s,) in self.ask("repairjobs", "SELECT state FROM repairjobs_sms"))


@pytest.fixture
def databases(tmp_path):
    return Databases(tmp_path / "data")


def sent_references(function):
    """Return the references of the SMS that the console backend printed."""
    return re.findall(r"^SMS to \S+ \((.*)\):", function.log.read_text(), re.MULTILINE)


class TestJob:
    def test_the_functions_take_a_job_from_the_clients_row_to_closed(
        self, own_cloud, databases, vonage
    ):
        settings = vonage.environment | {"SMS_PER_SECOND": "1000"}
        http, *jobs = [
            own_cloud(name, "repairjobs", **settings)
            for name in (
                "http",
                "collect_jobs",
                "follow_jobs",
                "run_sms_outbox",
                "run_status_outbox",
                "run_document_outbox",
                "reconcile_jobs",
            )
        ]
        collect, follow, send_sms, update_status, save_documents, reconcile = jobs
        databases.add_jobs(123)

        assert collect.invoke() == {"imported": 1, "out_of_time": False}
        assert send_sms.invoke() == {"tried": 1, "out_of_time": False}
        assert update_status.invoke()["tried"] == 1
        assert databases.status_of(123) == "OPENED"
        databases.put(123, "JOB COMPLETED")
        assert follow.invoke() == {"changed": 1, "out_of_time": False}
        payment = json.dumps({"reference": "P-1", "amount": "120.00", "currency": "GBP"}).encode()
        payment_response = read(
            http.invoke(http_api("POST", "/jobs/123/payments", payment, **JSON))
        )
        assert payment_response.status == 201, payment_response.body
        for job in (send_sms, update_status, save_documents):
            job.invoke()

        assert databases.status_of(123) == "CLOSED"
        document = read(http.invoke(http_api("GET", "/jobs/00123"))).json()
        assert document["job_status"] == "CLOSED"
        assert len(vonage.accepted) == 2
        assert reconcile.invoke() == {"compared": 1, "different": 0, "out_of_time": False}

    @pytest.mark.full
    def test_the_full_scan_finds_a_new_row_below_the_look_back(self, own_cloud, databases):
        collect, sweep = (
            own_cloud("collect_jobs", "repairjobs"),
            own_cloud("sweep_jobs", "repairjobs"),
        )
        databases.add_jobs(*range(2, LOOK_BACK + 3), status="CLOSED")
        collect.invoke()
        databases.add_jobs(1)

        assert collect.invoke()["imported"] == 0
        assert sweep.invoke() == {"imported": 1, "out_of_time": False}


class TestTime:
    @pytest.mark.full
    def test_the_next_invocation_continues_after_the_time_budget_ends(self, own_cloud, databases):
        collect = own_cloud("collect_jobs", "repairjobs")
        send_sms = own_cloud("run_sms_outbox", "repairjobs", SMS_PER_SECOND="3")
        databases.add_jobs(*range(1, 21))
        assert send_sms.invoke()["tried"] == 0
        assert collect.invoke()["imported"] == 20

        result = send_sms.invoke(seconds=SPARE_SECONDS + 5)

        sent_before = databases.sms()["accepted"]
        assert result == {"tried": sent_before, "out_of_time": True}
        assert 0 < sent_before < 20
        assert send_sms.invoke() == {"tried": 20 - sent_before, "out_of_time": False}
        assert databases.sms() == {"accepted": 20}
        assert len(sent_references(send_sms)) == len(set(sent_references(send_sms))) == 20

    def test_a_timeout_that_is_too_short_fails_the_invocation(self, own_cloud):
        collect = own_cloud("collect_jobs", "repairjobs")

        with pytest.raises(Failed) as error:
            collect.invoke(seconds=SPARE_SECONDS - 1)

        assert error.value.type == "TimeoutTooShort"

    def test_a_timeout_during_an_sms_does_not_send_it_twice(self, own_cloud, databases, vonage):
        collect = own_cloud("collect_jobs", "repairjobs")
        send_sms = own_cloud("run_sms_outbox", "repairjobs", **vonage.environment)
        databases.add_jobs(1, 2)
        collect.invoke()
        vonage.fail(Fault.SLOW)

        with ThreadPoolExecutor(1) as pool:
            invocation = pool.submit(send_sms.invoke)
            eventually(lambda: vonage.posts, "an SMS is out")
            send_sms.kill()
            error = invocation.exception()
        databases.ask("repairjobs", "UPDATE repairjobs_outboxtask SET due_at = '2020-01-01'")
        result = send_sms.invoke()

        assert isinstance(error, Failed)
        assert error.type == TIMED_OUT
        assert result["tried"] == 2
        assert databases.sms() == {"unknown": 1, "accepted": 1}
        assert vonage.posts == 2


@pytest.mark.full
class TestConcurrency:
    def test_ten_functions_at_once_send_each_sms_once(self, own_cloud, databases):
        collect = own_cloud("collect_jobs", "repairjobs")
        databases.add_jobs(*range(1, 16))
        functions = [own_cloud("run_sms_outbox", "repairjobs") for _ in range(10)]
        assert collect.invoke()["imported"] == 15

        with ThreadPoolExecutor(10) as pool:
            results = list(pool.map(Function.invoke, functions))

        assert sum(result["tried"] for result in results) == 15
        assert databases.sms() == {"accepted": 15}
        assert len(sent_references(collect)) == len(set(sent_references(collect))) == 15


class TestEvents:
    def test_events_are_ingested_from_a_provider_that_is_a_function(self, own_cloud):
        provider = own_cloud("http", "dataprovider", ALLOWED_HOSTS="*")
        dashboard = own_cloud("http", "dashboard")
        with gateway(provider) as url:
            ingest = own_cloud("ingest_events", "dashboard", DATA_PROVIDER_URL=url)
            simulate = own_cloud("simulate_events", "dataprovider", DATA_PROVIDER_URL=url)
            for id in (1, 2, 3):
                provider.invoke(http_api("POST", "/events", event(id), **JSON))

            first, second = ingest.invoke(), ingest.invoke()
            eventually(lambda: simulate.invoke()["reported"], "a booking is simulated")
            simulated = ingest.invoke()["stored"]

        assert first == {
            "stored": 3,
            "known": 0,
            "rejected": 0,
            "already_running": False,
            "out_of_time": False,
        }
        assert second == {"out_of_time": False}
        assert simulated > 0
        report = http_api("GET", "/dashboard?hotel_id=1&year=2020&period=year")
        assert read(dashboard.invoke(report)).json()["total"]["bookings"] == 3

    def test_an_unavailable_provider_fails_the_invocation(self, own_cloud):
        url = "http://127.0.0.1:9"
        ingest = own_cloud("ingest_events", "dashboard", DATA_PROVIDER_URL=url)

        with pytest.raises(Failed) as error:
            ingest.invoke()

        assert error.value.type == "RemoteServiceUnavailable"
        assert f"GET {url}/events failed" in error.value.message
        # The sandbox can still be invoked.
        with pytest.raises(Failed):
            ingest.invoke()


def event(id):
    content = {
        "id": id,
        "hotel_id": 1,
        "timestamp": f"2020-01-0{id}T00:00:00Z",
        "rpg_status": 1,
        "room_id": id,
        "night_of_stay": "2020-02-01",
    }
    return json.dumps(content).encode()
