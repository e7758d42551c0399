"""Drives repair jobs with the app's own services, and reads the results."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from repairjobs.integrations.documents import document_store
from repairjobs.models import ClientJob, Job, JobTransaction, OutboxKind, OutboxTask, Sms
from repairjobs.services import job_import, job_sync, payments
from repairjobs.services.outbox import runner
from repairjobs.services.outbox.registry import TASK_KINDS
from tests.support.repairjobs.factories import NOON, ClientJobFactory


def go_live() -> None:
    """Complete the first import, of an empty table, so that later jobs are not on hold."""
    import_jobs()


def import_jobs(at: datetime = NOON) -> int:
    return job_import.import_new_jobs(at=at)


def sync_jobs(at: datetime = NOON) -> int:
    return job_sync.sync_jobs(at=at)


def run_outbox(*kinds: OutboxKind) -> int:
    """Run the tasks that are due until none is; return how many were tried."""
    task_kinds = [kind for kind in TASK_KINDS if not kinds or kind.name in kinds]
    total = 0
    while tried := sum(runner.run_outbox(kind, clock=timezone.now) for kind in task_kinds):
        total += tried
    return total


def let_time_pass(**length: float) -> None:
    """Make all pending tasks due sooner by this time."""
    for task in OutboxTask.objects.filter(due_at__isnull=False):
        OutboxTask.objects.filter(pk=task.pk).update(due_at=task.due_at - timedelta(**length))


def open_job(job_id: int, **columns: str | None) -> None:
    """Carry a job from the client's row to OPENED."""
    ClientJobFactory(job_id=job_id, **columns)
    import_jobs()
    run_outbox()


def close_job(job_id: int) -> None:
    """Carry a job from the client's row to CLOSED."""
    open_job(job_id)
    set_client_status(job_id, "JOB COMPLETED")
    sync_jobs()
    pay(job_id, reference=f"P-{job_id}")
    run_outbox()


def set_client_status(job_id: int, status: str | None) -> None:
    """Change a job's status as the client does."""
    ClientJob.objects.filter(pk=job_id).update(status=status)


def pay(job_id: int, reference: str = "P-1", amount: str = "120.00") -> bool:
    """Report a payment. Return False if it was reported before."""
    _, is_new = payments.receive_payment(
        job_id=job_id, reference=reference, amount=Decimal(amount), currency="GBP", at=NOON
    )
    return is_new


def statuses_of(job_id: int) -> tuple[str | None, str, str]:
    """Return a job's status in the client's table, in ours and in its document."""
    document = document_store().get(f"{job_id:05}")
    return (
        ClientJob.objects.get(pk=job_id).status,
        Job.objects.get(pk=job_id).status,
        document["job_status"],
    )


def ledger_of(job_id: int) -> list[str]:
    rows = JobTransaction.objects.filter(job_id=job_id).order_by("pk")
    return list(rows.values_list("note", flat=True))


def attention_of(job_id: int) -> list[str]:
    """Return the flags in a job's document, after writing the document."""
    run_outbox(OutboxKind.DOCUMENT)
    return document_store().get(f"{job_id:05}")["attention"]


def sms_of(job_id: int) -> list[tuple[str, str]]:
    """Return kind and state of all SMS of a job, oldest first."""
    return list(Sms.objects.filter(job_id=job_id).order_by("pk").values_list("kind", "state"))
