"""A real worker, killed with -9 at every boundary, against Vonage's wire format."""

import signal
import sys
from collections import Counter

import pytest

from tests.processes import environment, eventually, manage, running
from tests.repairjobs.embedded import EmbeddedStores

pytestmark = pytest.mark.processes

BOUNDARIES = [
    "before repairjobs.models.outbox:OutboxTaskQuerySet.claim",
    "after repairjobs.models.outbox:OutboxTaskQuerySet.claim",
    "before repairjobs.services.job_import:start_jobs",
    "before repairjobs.services.sms_delivery:begin_attempt",
    "after repairjobs.services.sms_delivery:begin_attempt",
    "before repairjobs.integrations.sms.vonage:VonageSms.send",
    "before urllib3.connection:HTTPConnection.getresponse",  # the bytes are out
    "after urllib3.connection:HTTPConnection.getresponse",
    "after repairjobs.integrations.sms.vonage:VonageSms.send",
    "before repairjobs.services.workflow:draft_automatic_sms",  # before the commit
    "after repairjobs.services.sms_delivery:record_accepted",
    "before repairjobs.services.status_updates:mark_write_started",
    "before repairjobs.integrations.client_database:compare_and_set",
    "after repairjobs.integrations.client_database:compare_and_set",
    "after repairjobs.services.status_updates:record_status_written",
    "before repairjobs.services.outbox.document_task:document_store",
    "after repairjobs.services.outbox.document_task:record_documents_written",
]
AGAIN = [each for each in BOUNDARIES if ":record" in each or "VonageSms.send" in each]

PAY = """
from decimal import Decimal
from django.utils import timezone
from repairjobs.models import Job
from repairjobs.services.payments import receive_payment
for job in Job.objects.all():
    receive_payment(job_id=job.pk, reference=f"P-{job.pk}", amount=Decimal("9.00"), currency="GBP",
                    at=timezone.now())
"""


class Stores(EmbeddedStores):
    def statuses(self):
        return Counter(status for (status,) in self.ask("client", "SELECT Job_status FROM Jobs"))

    def owed(self):
        return self.ask("repairjobs", "SELECT kind, subject FROM repairjobs_outboxtask")

    def notes(self):
        return Counter(self.ask("repairjobs", "SELECT Job_id, Update_note FROM job_trans"))


@pytest.mark.skipif(sys.platform != "linux", reason="kills by Linux's rules")
def test_a_killed_worker_texts_nobody_twice_and_loses_no_job(vonage, tmp_path):
    env = environment(
        tmp_path,
        SERVICES="repairjobs",
        COLLECT_SECONDS="1",
        FOLLOW_SECONDS="1",
        OUTBOX_SECONDS="1",
        OUTBOX_LEASE_SECONDS="2",
        SILENCED_CHECKS="repairjobs.E001,repairjobs.E003",  # for such a short lease
        SMS_UNKNOWN_SECONDS="1",
        **vonage.environment,
    )
    assert manage(env, "migrate_databases").returncode == 0
    stores = Stores(tmp_path)
    jobs = range(1, len(BOUNDARIES) + 1)
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "config"]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    worker = [*celery, "worker", "--pool", "solo", "--queues", "repairjobs", *alone]
    worker += ["-I", "tests.repairjobs.deadly"]

    def die(boundary):
        with running(env | {"DIE": boundary}, *worker) as process:
            eventually(lambda: process.poll() is not None, f"it dies {boundary}")
            assert process.returncode == -signal.SIGKILL, boundary

    with running(env, *celery, "beat", "-S", "celery.beat.Scheduler"):
        for job_id, boundary in zip(jobs, BOUNDARIES, strict=True):
            stores.add_jobs(job_id)
            die(boundary)
        with running(env, *worker):
            eventually(lambda: stores.statuses() == {"OPENED": len(jobs)}, "all are opened")
        stores.ask("client", "UPDATE Jobs SET Job_status = 'JOB COMPLETED'")
        assert manage(env, "shell", "-c", PAY).returncode == 0
        for boundary in AGAIN:
            die(boundary)
        with running(env, *worker):
            eventually(lambda: stores.statuses() == {"CLOSED": len(jobs)}, "all are closed")
            eventually(lambda: not stores.owed(), "nothing is owed")

    assert max(Counter(each.client_ref for each in vonage.accepted).values()) == 1
    assert max(Counter(each.to for each in vonage.accepted).values()) <= 2
    assert vonage.record.problems == []
    notes = stores.notes()
    for job_id in jobs:
        for note in ("GET new job", "PUT Job_status OPENED", "PUT Job_status CLOSED"):
            assert notes[job_id, note] == 1
    assert "No difference" in manage(env, "reconcile_jobs").stdout
