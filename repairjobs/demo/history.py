"""A made-up past of the repair shop, for the demo: recorded by the very steps, texting nobody."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from common.db.transactions import atomic_with_retry
from repairjobs.demo.simulator import make_up_job, price
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

# How many customers come on a day, Monday first.
CUSTOMERS = ((1, 3), (0, 2), (0, 2), (0, 2), (0, 3), (0, 1), (0, 0))
OPENS, CLOSES = 8, 18
PARTS = {"Pump": "PU-20", "Door seal": "SE-11", "Motor brushes": "MB-02", "Thermostat": "TH-07"}
WITH_PARTS_SHARE, EARLY_SHARE, THANKFUL_SHARE = 0.35, 0.1, 0.04
RECEIPTS = (DeliveryState.DELIVERED, DeliveryState.NOT_DELIVERED, None)
RECEIPT_WEIGHTS = (94, 2, 4)
# What was flagged before that has been seen by a person.
ATTENTION_DAYS = 3


def arrivals(rng: random.Random, *, days: int, until: datetime) -> list[datetime]:
    """When customers came in so many days before this instant, in order."""
    found = []
    for day in (until - timedelta(days=back) for back in range(days)):
        for _ in range(rng.randint(*CUSTOMERS[day.weekday()])):
            hour, minute = rng.randrange(OPENS, CLOSES), rng.randrange(60)
            found.append(day.replace(hour=hour, minute=minute, second=rng.randrange(60)))
    return sorted(at for at in found if at < until)


def add_new_job(rng: random.Random) -> ClientJob:
    """Add a made-up NEW row to the client's table."""
    names = {column: name for name, column in CLIENT_COLUMNS.items()} | {"Job_status": "status"}
    columns: dict[str, Any] = {names[key]: value for key, value in make_up_job(rng).items()}
    return client_database.add_job(**columns)


@atomic_with_retry(using="repairjobs")
@transaction.atomic(using="client")
def simulate_job(rng: random.Random, *, since: datetime, until: datetime) -> None:
    """Let a customer have come then, and whatever followed by now; all of it or nothing.

    The collection must be live. The job's document stays owed.
    """
    row = add_new_job(rng)
    job_import.import_batch(ScanBatch([row], row.job_id), at=since)
    _JobSimulation(rng, row.job_id, since, until).live()


@dataclass
class _JobSimulation:
    """What happens to one job, step by step; its time stops at now."""

    rng: random.Random
    job_id: int
    at: datetime
    until: datetime

    def live(self) -> None:
        self._run_outbox()
        if self._pass(0.1, 5):
            self._repair()

    def _repair(self) -> None:
        self._hear(JobStatus.IN_PROGRESS)
        needs_part = self.rng.random() < WITH_PARTS_SHARE
        if needs_part:
            self._order_part()
        pays_early = self.rng.random() < EARLY_SHARE and self._pass(0.01, 1)
        if pays_early:
            self._pay()
        if not self._pass(0.1, 6):
            return
        if needs_part:
            self._move_part(PartStatus.FITTED)
        self._hear(JobStatus.COMPLETED)
        if pays_early:
            self._look_back()
        elif self._pass(0.05, 4):
            self._pay()
            self._look_back()

    def _look_back(self) -> None:
        if self.rng.random() < THANKFUL_SHARE and self._pass(0.01, 0.5):
            self._reply()
        if self._pass(ATTENTION_DAYS, ATTENTION_DAYS):
            self._acknowledge()

    def _pass(self, shortest: float, longest: float) -> bool:
        """Let some days go by. Return False if now comes before."""
        at = self.at + timedelta(days=self.rng.uniform(shortest, longest))
        if at > self.until:
            return False
        self.at = at
        return True

    def _hear(self, status: JobStatus) -> None:
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
            if self._pass(0.1, 3):
                self._move_part(status)

    def _move_part(self, status: PartStatus) -> None:
        part = Part.objects.of_job(self.job_id).get()
        parts.move_part(job_id=self.job_id, part_id=part.pk, status=status, at=self.at)

    def _pay(self) -> None:
        payments.receive_payment(
            job_id=self.job_id,
            reference=f"DEMO-{self.job_id}",
            amount=price(self.job_id),
            currency="GBP",
            at=self.at,
        )
        self._run_outbox()

    def _reply(self) -> None:
        sent = Sms.objects.attempted(self.job_id).last()
        if sent:
            reply = InboundMessage(
                message_uuid=self._uuid(),
                sender=sent.recipient,
                recipient=sent.sender,
                text="Very good, thank you!",
            )
            sms_webhooks.receive_message(reply, at=self.at)

    def _acknowledge(self) -> None:
        job = Job.objects.locked(self.job_id)
        keys = [flag.key for flag in unseen_flags(job)]
        acknowledgements.acknowledge(job_id=self.job_id, keys=keys, at=self.at)

    def _run_outbox(self) -> None:
        """Do all that is owed but the document, by which nobody is texted."""
        owed = OutboxTask.objects.of_job(self.job_id).exclude(kind=OutboxKind.DOCUMENT)
        while task := owed.order_by("pk").first():
            self.at = min(self.at + timedelta(seconds=self.rng.uniform(0.5, 4)), self.until)
            if task.kind == OutboxKind.SMS:
                self._text(task)
            else:
                run_batch(StatusTask, [task], lambda: self.at)

    def _text(self, task: OutboxTask) -> None:
        attempt = sms_delivery.begin_attempt(task, at=self.at)
        if attempt is None:
            return
        uuid = self._uuid()
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

    def _uuid(self) -> str:
        return str(UUID(int=self.rng.getrandbits(128), version=4))
