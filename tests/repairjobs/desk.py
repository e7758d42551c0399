"""A repair desk for tests: the app's own steps, one after the other, and what became of them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Lock

from django.utils import timezone

from repairjobs.integrations.documents import document_store
from repairjobs.integrations.sms.base import SmsNotSent, SmsRefused
from repairjobs.models import (
    ClientJob,
    Job,
    JobTransaction,
    OutboxKind,
    OutboxTask,
    Sms,
)
from repairjobs.services import job_import, job_sync, payments
from repairjobs.services.outbox.registry import TASK_KINDS
from repairjobs.services.outbox.runner import run_outbox
from tests.repairjobs.factories import NOON


@dataclass
class Phone:
    """What the world received; told what to answer, it raises that instead, one for each SMS."""

    received: list[tuple[str, str]] = field(default_factory=list)
    answers: list[Exception | None] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    sender: str = "Repairs"

    def send(self, *, to: str, text: str, reference: str) -> str:
        with self.lock:  # threads may send at once, and each SMS has a uuid of its own
            answer = self.answers.pop(0) if self.answers else None
            if not isinstance(answer, SmsRefused | SmsNotSent):
                self.received.append((to, text))
            uuid = f"uuid-{len(self.received)}"
        if answer:
            raise answer
        return uuid


def collect(at: datetime = NOON) -> int:
    return job_import.import_new_jobs(at=at)


def follow(at: datetime = NOON) -> int:
    return job_sync.sync_jobs(at=at)


def go_live() -> None:
    """Let the first collect of an empty store be over."""
    collect()


def run(*kinds: OutboxKind) -> int:
    """Do what is due, until nothing is."""
    done = 0
    chosen = [kind for kind in TASK_KINDS if not kinds or kind.name in kinds]
    while tried := sum(run_outbox(kind, clock=timezone.now) for kind in chosen):
        done += tried
    return done


def wait(**length: float) -> None:
    """Let time pass for what is owed."""
    for task in OutboxTask.objects.filter(due_at__isnull=False):
        OutboxTask.objects.filter(pk=task.pk).update(due_at=task.due_at - timedelta(**length))


def put(job_id: int, status: str | None) -> None:
    """Let the client change a status."""
    ClientJob.objects.filter(pk=job_id).update(status=status)


def pay(job_id: int, reference: str = "P-1", amount: str = "120.00") -> bool:
    _, is_new = payments.receive_payment(
        job_id=job_id, reference=reference, amount=Decimal(amount), currency="GBP", at=NOON
    )
    return is_new


def status_of(job_id: int) -> tuple[str | None, str, str]:
    """A job's status at the client, with us and in its document."""
    document = document_store().get(f"{job_id:05}")
    return (
        ClientJob.objects.get(pk=job_id).status,
        Job.objects.get(pk=job_id).status,
        document["job_status"],
    )


def ledger(job_id: int) -> list[str]:
    rows = JobTransaction.objects.filter(job_id=job_id).order_by("pk")
    return list(rows.values_list("note", flat=True))


def attention(job_id: int) -> list[str]:
    run(OutboxKind.DOCUMENT)
    return document_store().get(f"{job_id:05}")["attention"]


def sms_of(job_id: int) -> list[tuple[str, str]]:
    return list(Sms.objects.filter(job_id=job_id).order_by("pk").values_list("kind", "state"))
