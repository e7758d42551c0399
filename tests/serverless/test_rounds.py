"""What the clock wakes, by invocations alone: no Celery process is anywhere."""

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
from tests.serverless.local import TIMED_OUT, Failed
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


class Stores(EmbeddedDatabases):
    def put(self, job_id, status):
        self.ask("client", "UPDATE Jobs SET Job_status = ? WHERE Job_id = ?", status, job_id)

    def status_of(self, job_id):
        return self.ask("client", "SELECT Job_status FROM Jobs WHERE Job_id = ?", job_id)[0][0]

    def sms(self):
        return Counter(s for (s,) in self.ask("repairjobs", "SELECT state FROM repairjobs_sms"))


@pytest.fixture
def stores(tmp_path):
    return Stores(tmp_path / "data")


def texted(cloud_function):
    """The references of the SMS that left, by the console."""
    return re.findall(r"^SMS to \S+ \((.*)\):", cloud_function.log.read_text(), re.MULTILINE)


class TestAJob:
    def test_goes_from_the_clients_row_to_closed(self, own_cloud, stores, vonage):
        settings = vonage.environment | {"SMS_PER_SECOND": "1000"}
        http, *rounds = [
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
        collect, follow, text, tell, write, reconcile = rounds
        stores.add_jobs(123)

        assert collect.invoke() == {"imported": 1, "out_of_time": False}
        assert text.invoke() == {"tried": 1, "out_of_time": False}
        assert tell.invoke()["tried"] == 1
        assert stores.status_of(123) == "OPENED"
        stores.put(123, "JOB COMPLETED")
        assert follow.invoke() == {"changed": 1, "out_of_time": False}
        payment = json.dumps({"reference": "P-1", "amount": "120.00", "currency": "GBP"}).encode()
        paid = read(http.invoke(http_api("POST", "/jobs/123/payments", payment, **JSON)))
        assert paid.status == 201, paid.body
        for each in (text, tell, write):
            each.invoke()

        assert stores.status_of(123) == "CLOSED"
        job = read(http.invoke(http_api("GET", "/jobs/00123"))).json()
        assert job["job_status"] == "CLOSED"
        assert len(vonage.accepted) == 2
        assert reconcile.invoke() == {"compared": 1, "different": 0, "out_of_time": False}

    def test_is_swept_up_where_nobody_looks_any_more(self, own_cloud, stores):
        collect, sweep = (
            own_cloud("collect_jobs", "repairjobs"),
            own_cloud("sweep_jobs", "repairjobs"),
        )
        stores.add_jobs(*range(2, LOOK_BACK + 3), status="CLOSED")
        collect.invoke()
        stores.add_jobs(1)

        assert collect.invoke()["imported"] == 0
        assert sweep.invoke() == {"imported": 1, "out_of_time": False}


class TestTime:
    def test_that_is_over_leaves_the_rest_to_the_next_invocation(self, own_cloud, stores):
        collect = own_cloud("collect_jobs", "repairjobs")
        text = own_cloud("run_sms_outbox", "repairjobs", SMS_PER_SECOND="3")
        stores.add_jobs(*range(1, 21))
        assert text.invoke()["tried"] == 0
        assert collect.invoke()["imported"] == 20

        cut = text.invoke(seconds=SPARE_SECONDS + 5)

        before = stores.sms()["accepted"]
        assert cut == {"tried": before, "out_of_time": True}
        assert 0 < before < 20
        assert text.invoke() == {"tried": 20 - before, "out_of_time": False}
        assert stores.sms() == {"accepted": 20}
        assert len(texted(text)) == len(set(texted(text))) == 20

    def test_that_would_not_do_for_anything_is_told(self, own_cloud):
        collect = own_cloud("collect_jobs", "repairjobs")

        with pytest.raises(Failed) as failed:
            collect.invoke(seconds=SPARE_SECONDS - 1)

        assert failed.value.type == "TimeoutTooShort"

    def test_that_ends_while_an_sms_is_out_sends_none_twice(self, own_cloud, stores, vonage):
        collect = own_cloud("collect_jobs", "repairjobs")
        text = own_cloud("run_sms_outbox", "repairjobs", **vonage.environment)
        stores.add_jobs(1, 2)
        collect.invoke()
        vonage.fail(Fault.SLOW)

        with ThreadPoolExecutor(1) as pool:
            invocation = pool.submit(text.invoke)
            eventually(lambda: vonage.posts, "an SMS is out")
            text.kill()
            failed = invocation.exception()
        stores.ask("repairjobs", "UPDATE repairjobs_outboxtask SET due_at = '2020-01-01'")
        then = text.invoke()

        assert isinstance(failed, Failed)
        assert failed.type == TIMED_OUT
        assert then["tried"] == 2
        assert stores.sms() == {"unknown": 1, "accepted": 1}
        assert vonage.posts == 2


class TestTenAtOnce:
    def test_text_everybody_once(self, own_cloud, stores):
        collect = own_cloud("collect_jobs", "repairjobs")
        stores.add_jobs(*range(1, 16))
        ten = [own_cloud("run_sms_outbox", "repairjobs") for _ in range(10)]
        assert collect.invoke()["imported"] == 15

        with ThreadPoolExecutor(10) as pool:
            done = list(pool.map(lambda each: each.invoke(), ten))

        assert sum(each["tried"] for each in done) == 15
        assert stores.sms() == {"accepted": 15}
        assert len(texted(collect)) == len(set(texted(collect))) == 15


class TestEvents:
    def test_are_ingested_from_a_provider_that_is_a_function_too(self, own_cloud):
        provider = own_cloud("http", "dataprovider", ALLOWED_HOSTS="*")
        dashboard = own_cloud("http", "dashboard")
        with gateway(provider) as url:
            ingest = own_cloud("ingest_events", "dashboard", DATA_PROVIDER_URL=url)
            simulate = own_cloud("simulate_events", "dataprovider", DATA_PROVIDER_URL=url)
            for id in (1, 2, 3):
                provider.invoke(http_api("POST", "/events", event(id), **JSON))

            first, again = ingest.invoke(), ingest.invoke()
            eventually(lambda: simulate.invoke()["reported"], "a guest books")
            simulated = ingest.invoke()["stored"]

        assert first == {
            "stored": 3,
            "known": 0,
            "rejected": 0,
            "turned_away": False,
            "out_of_time": False,
        }
        assert (again["stored"], again["turned_away"]) == (0, False)
        assert simulated > 0
        asked = http_api("GET", "/dashboard?hotel_id=1&year=2020&period=year")
        assert read(dashboard.invoke(asked)).json()["total"]["bookings"] == 3

    def test_that_cannot_be_asked_for_fail_the_invocation(self, own_cloud):
        nobody = "http://127.0.0.1:9"
        ingest = own_cloud("ingest_events", "dashboard", DATA_PROVIDER_URL=nobody)

        with pytest.raises(Failed) as failed:
            ingest.invoke()

        assert failed.value.type == "ProviderUnavailable"
        assert f"GET {nobody}/events failed" in failed.value.message
        # The runtime lives on; it is the invocation that failed.
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
