import random
import re
from io import StringIO

import pytest
import responses
from django.core.management import CommandError, call_command

from repairjobs.demo import simulator
from repairjobs.integrations.phone_numbers import normalize_number
from repairjobs.models import ClientJob, Job, Sms, SmsState
from tests.support.repairjobs import workflow_driver as driver

pytestmark = [
    pytest.mark.django_db(databases=["repairjobs", "client"]),
    pytest.mark.usefixtures("vonage"),
    pytest.mark.engine_independent,
]


def run_command(*arguments):
    output = StringIO()
    call_command(*arguments, stdout=output, stderr=StringIO())
    return output.getvalue()


@pytest.fixture
def own_api(api, settings, vonage):
    """This machine's own API on the wire, without a server."""

    def answer(request):
        call = getattr(api, request.method.lower())
        path = request.path_url
        if request.method == "GET":
            response = call(path)
        else:
            response = call(path, request.body, content_type=request.headers["Content-Type"])
        assert response.status_code < 400, response.content
        return response.status_code, {}, response.content

    url = re.compile(f"http://127.0.0.1:{settings.PORT}/")
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        wire.add_passthru(vonage.url)
        for method in (responses.GET, responses.POST, responses.PUT):
            wire.add_callback(method, url, callback=answer)
        yield wire


def test_the_demo_is_seeded_once(settings):
    settings.IS_LIVE = False

    assert "Added 12" in run_command("seed_jobs", "--days=0")
    assert "There are jobs already" in run_command("seed_jobs")
    assert ClientJob.objects.count() == 12


def test_the_demo_continues_after_its_history(settings, vonage):
    settings.IS_LIVE = False

    run_command("seed_jobs", "--days=14", "--jobs=2")

    assert vonage.accepted == []
    new_ids = set(ClientJob.objects.values_list("pk", flat=True)) - set(Job.objects.in_bulk())
    assert len(new_ids) == 2
    driver.import_jobs()
    driver.run_outbox()
    accepted_sms = Sms.objects.filter(state=SmsState.ACCEPTED, job_id__in=new_ids)
    assert len(vonage.accepted) == accepted_sms.count()
    assert not Job.objects.on_hold().exists()
    assert "No differences" in run_command("reconcile_jobs")


def test_nothing_is_simulated_with_a_real_client(settings):
    settings.IS_LIVE = True

    run_command("seed_jobs")
    with pytest.raises(CommandError, match="Nothing is simulated"):
        run_command("simulate_client")

    assert not ClientJob.objects.exists()


def test_simulated_numbers_belong_to_no_person():
    rng = random.Random(1)
    numbers = {normalize_number(simulator.draw_job(rng)["Client_mobile"]) for _ in range(500)}

    assert all(number is None or number.startswith("+447700900") for number in numbers)


def test_the_simulator_carries_jobs_to_closed(settings, own_api):
    settings.IS_LIVE = False
    driver.go_live()
    rng = random.Random(1)

    for _ in range(12):
        simulator.simulate_client(rng=rng)
        driver.import_jobs()
        driver.sync_jobs()
        driver.run_outbox()

    assert set(ClientJob.objects.values_list("status", flat=True)) >= {"CLOSED", "IN PROGRESS"}
