"""A simulated history of the repair shop, for the demo.

It calls the ordinary services with times in the past. No SMS is sent.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from common.db.transactions import atomic_with_retry
from repairjobs.demo.simulator import draw_job, price_of
from repairjobs.integrations import client_database
from repairjobs.integrations.sms.base import InboundMessage, Receipt
from repairjobs.models import (
    CLIENT_COLUMNS,
    ClientJob,
    DeliveryState,
    Job,
    JobStatus,
    OutboxKind,
    OutboxTask,
    Part,
    PartStatus,
    ScanBatch,
    Sms,
)
from repairjobs.services import (
    acknowledgements,
    job_import,
    job_sync,
    parts,
    payments,
    sms_delivery,
    sms_webhooks,
)
from repairjobs.services.attention import unseen_flags
from repairjobs.services.outbox.runner import run_batch
from repairjobs.services.outbox.status_task import StatusTask

# The fewest and the most new customers of each weekday, Monday first.
CUSTOMERS = ((1, 3), (0, 2), (0, 2), (0, 2), (0, 3), (0, 1), (0, 0))
OPENING_HOUR, CLOSING_HOUR = 8, 18
PARTS = {"Pump": "PU-20", "Door seal": "SE-11", "Motor brushes": "MB-02", "Thermostat": "TH-07"}
NEEDS_PART_SHARE, EARLY_PAYMENT_SHARE, REPLY_SHARE = 0.35, 0.1, 0.04
RECEIPTS = (DeliveryState.DELIVERED, DeliveryState.NOT_DELIVERED, None)
RECEIPT_WEIGHTS = (94, 2, 4)
# Flags that are older than this are marked as seen.
UNSEEN_DAYS = 3


def draw_arrivals(rng: random.Random, *, days: int, until: datetime) -> list[datetime]:
    """Return the times at which customers arrive in the days before an instant, in order."""
    arrivals = []
    for day in (until - timedelta(days=back) for back in range(days)):
        for _ in range(rng.randint(*CUSTOMERS[day.weekday()])):
            hour, minute = rng.randrange(OPENING_HOUR, CLOSING_HOUR), rng.randrange(60)
            arrivals.append(day.replace(hour=hour, minute=minute, second=rng.randrange(60)))
    return sorted(at for at in arrivals if at < until)


def add_new_job(rng: random.Random) -> ClientJob:
    """Add a random NEW row to the client's table."""
    names = {column: name for name, column in CLIENT_COLUMNS.items()} | {"Job_status": "status"}
    columns: dict[str, Any] = {names[column]: value for column, value in draw_job(rng).items()}
    return client_database.add_job(**columns)


@atomic_with_retry(using="repairjobs")
@transaction.atomic(using="client")
def simulate_job(rng: random.Random, *, since: datetime, until: datetime) -> None:
    """Simulate one job from the customer's arrival until an instant, in one transaction.

    The import must be live. Only the task for the job's document stays in the outbox.
    """
    row = add_new_job(rng)
    job_import.import_batch(ScanBatch([row], row.job_id), at=since)
    _JobSimulation(rng, row.job_id, since, until).run()


@dataclass
class _JobSimulation:
    """The simulation of one job. It ends when its time reaches ``until``."""

    rng: random.Random
    job_id: int
    at: datetime
    until: datetime

    def run(self) -> None:
        self._run_outbox()
        if self._wait(0.1, 5):
            self._repair()

    def _repair(self) -> None:
        self._set_client_status(JobStatus.IN_PROGRESS)
        needs_part = self.rng.random() < NEEDS_PART_SHARE
        if needs_part:
            self._order_part()
        pays_early = self.rng.random() < EARLY_PAYMENT_SHARE and self._wait(0.01, 1)
        if pays_early:
            self._pay()
        if not self._wait(0.1, 6):
            return
        if needs_part:
            self._move_part(PartStatus.FITTED)
        self._set_client_status(JobStatus.COMPLETED)
        if pays_early:
            self._follow_up()
        elif self._wait(0.05, 4):
            self._pay()
            self._follow_up()

    def _follow_up(self) -> None:
        if self.rng.random() < REPLY_SHARE and self._wait(0.01, 0.5):
            self._reply()
        if self._wait(UNSEEN_DAYS, UNSEEN_DAYS):
            self._acknowledge()

    def _wait(self, min_days: float, max_days: float) -> bool:
        """Move the time forward by random days. Return False if that would be after the end."""
        at = self.at + timedelta(days=self.rng.uniform(min_days, max_days))
        if at > self.until:
            return False
        self.at = at
        return True

    def _set_client_status(self, status: JobStatus) -> None:
        row = client_database.change_job(self.job_id, status=status)
        job_sync.apply_client_row(Job.objects.locked(self.job_id), row, at=self.at)
        self._run_outbox()

    def _order_part(self) -> None:
        name = self.rng.choice(list(PARTS))
        parts.add_part(
            job_id=self.job_id,
            part_number=PARTS[name],
            name=name,
            quantity=self.rng.choice([1, 1, 1, 2]),
            at=self.at,
        )
        for status in (PartStatus.ORDERED, PartStatus.RECEIVED):
            if self._wait(0.1, 3):
                self._move_part(status)

    def _move_part(self, status: PartStatus) -> None:
        part = Part.objects.of_job(self.job_id).get()
        parts.move_part(job_id=self.job_id, part_id=part.pk, status=status, at=self.at)

    def _pay(self) -> None:
        payments.receive_payment(
            job_id=self.job_id,
            reference=f"DEMO-{self.job_id}",
            amount=price_of(self.job_id),
            currency="GBP",
            at=self.at,
        )
        self._run_outbox()

    def _reply(self) -> None:
        sms = Sms.objects.attempted(self.job_id).last()
        if sms:
            reply = InboundMessage(
                message_uuid=self._draw_uuid(),
                sender=sms.recipient,
                recipient=sms.sender,
                text="Very good, thank you!",
            )
            sms_webhooks.receive_message(reply, at=self.at)

    def _acknowledge(self) -> None:
        job = Job.objects.locked(self.job_id)
        keys = [flag.key for flag in unseen_flags(job)]
        acknowledgements.acknowledge(job_id=self.job_id, keys=keys, at=self.at)

    def _run_outbox(self) -> None:
        """Run the job's tasks, except for the document. No SMS is sent."""
        tasks = OutboxTask.objects.of_job(self.job_id).exclude(kind=OutboxKind.DOCUMENT)
        while task := tasks.order_by("pk").first():
            self.at = min(self.at + timedelta(seconds=self.rng.uniform(0.5, 4)), self.until)
            if task.kind == OutboxKind.SMS:
                self._simulate_sending(task)
            else:
                run_batch(StatusTask, [task], lambda: self.at)

    def _simulate_sending(self, task: OutboxTask) -> None:
        attempt = sms_delivery.begin_attempt(task, at=self.at)
        if attempt is None:
            return
        uuid = self._draw_uuid()
        sms_delivery.record_accepted(attempt, message_uuid=uuid, at=self.at)
        state = self.rng.choices(RECEIPTS, RECEIPT_WEIGHTS)[0]
        if state:
            receipt = Receipt(
                message_uuid=uuid,
                reference=str(attempt.reference),
                status=state.value,
                state=state,
                reason="" if state == DeliveryState.DELIVERED else "the phone was not reached",
            )
            sms_webhooks.record_delivery_receipt(receipt, at=self.at)

    def _draw_uuid(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128), version=4))
