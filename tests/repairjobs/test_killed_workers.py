"""A real worker that is killed with -9 at every crash point, against Vonage's wire format."""

import signal
import sys
from collections import Counter

import pytest

from tests.processes import copy_migrated_databases, environment, eventually, manage, running
from tests.support.repairjobs.embedded_databases import EmbeddedDatabases

pytestmark = pytest.mark.processes

CRASH_POINTS = [
    "before the claim of a task",
    "after the claim of a task",
    "before an import stores the job",
    "before the attempt is recorded",
    "after the attempt is recorded",
    "before the request to Vonage",
    "before the response of Vonage",
    "at the response of Vonage",
    "after the response of Vonage",
    "before an import stores the SMS",
    "after the accepted SMS is recorded",
    "before the write's start is recorded",
    "before the write to the client",
    "after the write to the client",
    "after the write is recorded",
    "before the document is written",
    "after the written document is recorded",
]
WHEN_CLOSING = {
    "before the request to Vonage",
    "after the response of Vonage",
    "after the accepted SMS is recorded",
    "after the write is recorded",
    "after the written document is recorded",
}

PAY = """
from decimal import Decimal
from django.utils import timezone
from repairjobs.models import Job
from repairjobs.services.payments import receive_payment
for job in Job.objects.all():
    receive_payment(job_id=job.pk, reference=f"P-{job.pk}", amount=Decimal("9.00"), currency="GBP",
                    at=timezone.now())
"""


class Databases(EmbeddedDatabases):
    def statuses(self):
        return Counter(status for (status,) in self.ask("client", "SELECT Job_status FROM Jobs"))

    def outbox(self):
        return self.ask("repairjobs", "SELECT kind, subject FROM repairjobs_outboxtask")

    def notes(self):
        return Counter(self.ask("repairjobs", "SELECT Job_id, Update_note FROM job_trans"))


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals as Linux has them")
@pytest.mark.full
def test_killed_workers_text_no_customer_twice_and_lose_no_job(vonage, tmp_path):
    env = environment(
        tmp_path,
        SERVICES="repairjobs",
        COLLECT_SECONDS="1",
        FOLLOW_SECONDS="1",
        OUTBOX_SECONDS="1",
        OUTBOX_LEASE_SECONDS="2",
        SILENCED_CHECKS="repairjobs.E001,repairjobs.E003",  # they reject such a short lease
        SMS_UNKNOWN_SECONDS="1",
        **vonage.environment,
    )
    copy_migrated_databases(env)
    databases = Databases(tmp_path)
    job_ids = range(1, len(CRASH_POINTS) + 1)
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "config"]
    worker = [*celery, "worker", "--pool", "solo", "--queues", "repairjobs"]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker += ["-I", "tests.support.repairjobs.crash_injection"]

    def run_until_killed(point):
        with running(env | {"DIE": point}, *worker) as process:
            eventually(lambda: process.poll() is not None, f"the worker dies {point}")
            assert process.returncode == -signal.SIGKILL, point

    with running(env, *celery, "beat", "-S", "celery.beat.Scheduler"):
        for job_id, point in zip(job_ids, CRASH_POINTS, strict=True):
            databases.add_jobs(job_id)
            run_until_killed(point)
        with running(env, *worker):
            all_opened = {"OPENED": len(job_ids)}
            eventually(lambda: databases.statuses() == all_opened, "all jobs are opened")
        databases.ask("client", "UPDATE Jobs SET Job_status = 'JOB COMPLETED'")
        assert manage(env, "shell", "-c", PAY).returncode == 0
        for point in CRASH_POINTS:
            if point in WHEN_CLOSING:
                run_until_killed(point)
        with running(env, *worker):
            all_closed = {"CLOSED": len(job_ids)}
            eventually(lambda: databases.statuses() == all_closed, "all jobs are closed")
            eventually(lambda: not databases.outbox(), "the outbox is empty")

    assert max(Counter(sms.client_ref for sms in vonage.accepted).values()) == 1
    assert max(Counter(sms.to for sms in vonage.accepted).values()) <= 2
    assert vonage.record.problems == []
    notes = databases.notes()
    for job_id in job_ids:
        for note in ("GET new job", "PUT Job_status OPENED", "PUT Job_status CLOSED"):
            assert notes[job_id, note] == 1
    assert "No difference" in manage(env, "reconcile_jobs").stdout
