import random
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from common.time_budget import unlimited
from repairjobs import scheduled
from repairjobs.demo import simulator
from repairjobs.integrations import sandbox_api
from repairjobs.integrations.phone_numbers import normalize_number
from repairjobs.management.commands import reconcile_jobs
from repairjobs.models import ClientJob, Job, OutboxTask, Sms, SmsState
from repairjobs.services import parts, reconciliation
from repairjobs.services.reconciliation import differences
from tests.deadlines import after
from tests.repairjobs import desk
from tests.repairjobs.factories import ClientJobFactory

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])


@pytest.fixture(autouse=True)
def _phone(phone):
    """Nobody is texted."""


def command(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


class TestReconcile:
    @pytest.fixture(autouse=True)
    def job(self, monkeypatch):
        monkeypatch.setattr(reconcile_jobs, "sleep", lambda seconds: None)
        desk.go_live()
        ClientJobFactory(job_id=1)
        desk.collect()
        desk.run()

    def found(self):
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("reconcile_jobs", stdout=out)
        return out.getvalue().splitlines()

    def test_finds_nothing_when_all_is_done(self):
        assert "No differences" in command("reconcile_jobs")

    def test_tells_a_status_that_was_not_followed(self):
        desk.put(1, "IN PROGRESS")

        assert self.found() == ["job 00001: IN PROGRESS at the client, OPENED here"]

    def test_leaves_out_what_settles_meanwhile(self, monkeypatch):
        ClientJobFactory(job_id=2)
        ClientJob.objects.filter(job_id=1).delete()
        monkeypatch.setattr(reconcile_jobs, "sleep", lambda _: (desk.collect(), desk.run()))

        assert self.found() == ["job 00001: the client has no row"]

    def test_by_the_clock_leaves_it_out_too(self, monkeypatch):
        ClientJobFactory(job_id=2)
        desk.collect()
        ClientJob.objects.filter(job_id=1).delete()

        def then_settled(**options):
            yield from differences(**options)
            desk.run()

        monkeypatch.setattr(reconciliation, "differences", then_settled)

        assert scheduled.reconcile_jobs(at=timezone.now(), has_time_left=unlimited) == {
            "compared": 2,
            "different": 1,
        }

    def test_tells_a_row_that_has_gone(self):
        ClientJob.objects.all().delete()

        assert self.found() == ["job 00001: the client has no row"]

    def test_cut_short_tells_of_the_jobs_where_it_began(self, monkeypatch):
        monkeypatch.setattr("repairjobs.models.jobs.BATCH_SIZE", 1)
        ClientJobFactory.create_batch(2)
        desk.collect()
        desk.run()
        ClientJob.objects.all().delete()
        last = Job.objects.order_by("pk").last()

        found = differences(progress=str, start=last.pk, has_time_left=after(1))

        assert [str(it) for it in found] == [f"{last}: the client has no row"]

    def test_tells_a_job_that_was_not_taken_over(self):
        ClientJobFactory(job_id=2)

        assert self.found() == ["job 00002: NEW at the client, not imported"]

    def test_tells_a_document_that_is_old_and_what_is_owed(self):
        parts.add_part(job_id=1, part_number="P", name="Pump", quantity=1, at=timezone.now())

        assert self.found() == [
            "job 00001: the document is outdated",
            "job 00001: document task not done, attempts: 0",
        ]


class TestAdopt:
    @pytest.mark.parametrize(("choice", "kept"), [("--text", 21), ("--silent", 0)])
    def test_decides_for_all_that_were_held(self, choice, kept):
        ClientJobFactory.create_batch(21)
        desk.collect()

        assert "Released 21 jobs" in command("adopt_jobs", choice)
        assert "Released 0 jobs" in command("adopt_jobs", choice)

        assert OutboxTask.objects.filter(kind="sms").count() == kept
        assert not Job.objects.filter(is_on_hold=True).exists()

    def test_may_only_say_how_many_there_are(self):
        ClientJobFactory.create_batch(21)
        desk.collect()

        assert "Would release 21 jobs, texting" in command("adopt_jobs", "--text", "--dry-run")
        assert Job.objects.on_hold().count() == 21

    def test_wants_a_choice(self):
        with pytest.raises(CommandError):
            command("adopt_jobs")


class TestTheDemo:
    def test_is_seeded_once(self, settings):
        settings.IS_LIVE = False

        assert "Added 12" in command("seed_jobs", "--days=0")
        assert "There are jobs already" in command("seed_jobs")
        assert ClientJob.objects.count() == 12

    def test_goes_on_from_a_made_up_past(self, settings, phone):
        settings.IS_LIVE = False

        command("seed_jobs", "--days=14", "--jobs=2")

        assert phone.received == []
        ids = set(ClientJob.objects.values_list("pk", flat=True)) - set(Job.objects.in_bulk())
        assert len(ids) == 2
        desk.collect()
        desk.run()
        accepted = Sms.objects.filter(state=SmsState.ACCEPTED, job_id__in=ids)
        assert len(phone.received) == accepted.count()
        assert not Job.objects.on_hold().exists()
        assert "No differences" in command("reconcile_jobs")

    def test_makes_nothing_up_beside_a_real_client(self, settings):
        settings.IS_LIVE = True

        command("seed_jobs")
        with pytest.raises(CommandError, match="Nothing is simulated"):
            command("simulate_client")

        assert not ClientJob.objects.exists()

    def test_has_only_numbers_of_nobody(self):
        rng = random.Random(1)
        numbers = {normalize_number(simulator.draw_job(rng)["Client_mobile"]) for _ in range(500)}

        assert all(number is None or number.startswith("+447700900") for number in numbers)

    def test_carries_jobs_through_the_day(self, settings, api, monkeypatch):
        settings.IS_LIVE = False

        class Answer:
            def __init__(self, answer):
                assert answer.status_code < 400, answer.content
                self.json = answer.json

        def request(method, path, *, params=None, json=None):
            if method == "GET":
                return Answer(api.get(path, params))
            return Answer(getattr(api, method.lower())(path, json, format="json"))

        monkeypatch.setattr(sandbox_api, "_request", request)
        desk.go_live()
        rng = random.Random(1)

        for _ in range(12):
            simulator.simulate_client(rng=rng)
            desk.collect()
            desk.follow()
            desk.run()

        assert set(ClientJob.objects.values_list("status", flat=True)) >= {"CLOSED", "IN PROGRESS"}


def test_nothing_is_migrated_in_the_clients_database():
    before = connections["client"].introspection.table_names()

    with pytest.raises(CommandError, match="belongs to the client and must not be migrated"):
        command("migrate", "--database", "client", "--verbosity", "0")

    assert connections["client"].introspection.table_names() == before
    assert "django_migrations" not in before


def test_a_clients_table_that_is_there_stays():
    ClientJobFactory()

    assert "already exists" in command("create_client_database")
    assert ClientJob.objects.count() == 1
