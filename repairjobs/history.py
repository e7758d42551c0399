"""A made-up past of the repair shop, for the demo: recorded by the very steps, texting nobody."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from repairjobs import client
from repairjobs.errands import RUNNERS
from repairjobs.models import (
    FACTS,
    ClientJob,
    Errand,
    ErrandKind,
    Job,
    JobStatus,
    Part,
    PartStatus,
    Piece,
    Sms,
)
from repairjobs.rendering import unseen_flags
from repairjobs.services import collecting, following, hearing, jobs, parts, paying, texting
from repairjobs.simulation import made_up_job, price
from repairjobs.transactions import in_transaction

# How many customers come on a day, Monday first.
CUSTOMERS = ((1, 3), (0, 2), (0, 2), (0, 2), (0, 3), (0, 1), (0, 0))
OPENS, CLOSES = 8, 18
PARTS = {"Pump": "PU-20", "Door seal": "SE-11", "Motor brushes": "MB-02", "Thermostat": "TH-07"}
WITH_PARTS_SHARE, EARLY_SHARE, THANKFUL_SHARE = 0.35, 0.1, 0.04
REPORTS, REPORTS_WEIGHTS = ("delivered", "undeliverable", None), (94, 2, 4)
# What was flagged before that has been seen by a person.
ATTENTION_DAYS = 3


def arrivals(chance: random.Random, *, days: int, until: datetime) -> list[datetime]:
    """When customers came in so many days before this instant, in order."""
    found = []
    for day in (until - timedelta(days=back) for back in range(days)):
        for _ in range(chance.randint(*CUSTOMERS[day.weekday()])):
            hour, minute = chance.randrange(OPENS, CLOSES), chance.randrange(60)
            found.append(day.replace(hour=hour, minute=minute, second=chance.randrange(60)))
    return sorted(at for at in found if at < until)


def add_new_job(chance: random.Random) -> ClientJob:
    """Add a made-up NEW row to the client's table."""
    names = {column: name for name, column in FACTS.items()} | {"Job_status": "status"}
    columns: dict[str, Any] = {names[key]: value for key, value in made_up_job(chance).items()}
    return client.add(**columns)


@in_transaction
@transaction.atomic(using="client")
def live_through(chance: random.Random, *, since: datetime, until: datetime) -> None:
    """Let a customer have come then, and whatever followed by now; all of it or nothing.

    The collection must be live. The job's document stays owed.
    """
    row = add_new_job(chance)
    collecting.take_over(Piece([row], row.job_id), at=since)
    _Visit(chance, row.job_id, since, until).live()


@dataclass
class _Visit:
    """What happens to one job, step by step; its time stops at now."""

    chance: random.Random
    job_id: int
    at: datetime
    until: datetime

    def live(self) -> None:
        self._work_off()
        if self._pass(0.1, 5):
            self._repair()

    def _repair(self) -> None:
        self._hear(JobStatus.IN_PROGRESS)
        needs_part = self.chance.random() < WITH_PARTS_SHARE
        if needs_part:
            self._order_part()
        pays_early = self.chance.random() < EARLY_SHARE and self._pass(0.01, 1)
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
        if self.chance.random() < THANKFUL_SHARE and self._pass(0.01, 0.5):
            self._reply()
        if self._pass(ATTENTION_DAYS, ATTENTION_DAYS):
            self._acknowledge()

    def _pass(self, shortest: float, longest: float) -> bool:
        """Let some days go by. Return False if now comes before."""
        at = self.at + timedelta(days=self.chance.uniform(shortest, longest))
        if at > self.until:
            return False
        self.at = at
        return True

    def _hear(self, status: JobStatus) -> None:
        row = client.change(self.job_id, status=status)
        following.absorb(Job.objects.locked(self.job_id), row, at=self.at)
        self._work_off()

    def _order_part(self) -> None:
        name = self.chance.choice(list(PARTS))
        parts.add_part(
            job_id=self.job_id,
            part_number=PARTS[name],
            name=name,
            quantity=self.chance.choice([1, 1, 1, 2]),
        )
        for status in (PartStatus.ORDERED, PartStatus.RECEIVED):
            if self._pass(0.1, 3):
                self._move_part(status)

    def _move_part(self, status: PartStatus) -> None:
        part = Part.objects.get(job_id=self.job_id)
        parts.move_part(job_id=self.job_id, part_id=part.pk, status=status)

    def _pay(self) -> None:
        paying.receive_payment(
            job_id=self.job_id,
            reference=f"DEMO-{self.job_id}",
            amount=price(self.job_id),
            currency="GBP",
            at=self.at,
        )
        self._work_off()

    def _reply(self) -> None:
        sent = Sms.objects.filter(job_id=self.job_id, attempted_at__isnull=False).last()
        if sent:
            hearing.receive_sms(
                message_uuid=self._uuid(),
                sender=sent.recipient,
                recipient=sent.sender,
                text="Very good, thank you!",
                at=self.at,
            )

    def _acknowledge(self) -> None:
        job = Job.objects.get(pk=self.job_id)
        keys = [flag.key for flag in unseen_flags(job)]
        jobs.acknowledge(job_id=self.job_id, keys=keys, at=self.at)

    def _work_off(self) -> None:
        """Do all that is owed but the document, by which nobody is texted."""
        owed = Errand.objects.filter(job_id=self.job_id).exclude(kind=ErrandKind.DOCUMENT)
        while errand := owed.order_by("pk").first():
            self.at = min(self.at + timedelta(seconds=self.chance.uniform(0.5, 4)), self.until)
            if errand.kind == ErrandKind.SMS:
                self._text(errand)
            else:
                RUNNERS[errand.kind](errand, lambda: self.at)

    def _text(self, errand: Errand) -> None:
        attempt = texting.begin_attempt(errand, at=self.at)
        if attempt is None:
            return
        uuid = self._uuid()
        texting.record_accepted(attempt, message_uuid=uuid, at=self.at)
        status = self.chance.choices(REPORTS, REPORTS_WEIGHTS)[0]
        if status:
            hearing.record_delivery(
                message_uuid=uuid,
                reference=str(attempt.reference),
                status=status,
                reason="" if status == "delivered" else "the phone was not reached",
                at=self.at,
            )

    def _uuid(self) -> str:
        return str(UUID(int=self.chance.getrandbits(128), version=4))
