import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, Self
from uuid import uuid4

from django.conf import settings
from django.db import connections, models
from django.db.models.functions import Now, Upper

from repairjobs.documents_table import JobDocument
from repairjobs.transactions import in_transaction

__all__ = ["JobDocument"]  # its table belongs to this app

CHUNK = 1_000
# What the archaic system and we can both hold as a job's id.
MIN_JOB_ID, MAX_JOB_ID = -(2**31), 2**31 - 1


class JobStatus(models.TextChoices):
    """The client's words, in the order in which a job goes through them."""

    NEW = "NEW"
    OPENED = "OPENED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "JOB COMPLETED"
    CLOSED = "CLOSED"


RANKS = {status.value: rank for rank, status in enumerate(JobStatus)}


def plain_status(spelled: str | None) -> str:
    """A status in our spelling, whatever its case and blanks; an unknown one in capitals."""
    return " ".join((spelled or "").split()).upper()


# --- The client's --------------------------------------------------------------------------------


class Piece(NamedTuple):
    """The NEW rows in a stretch of the client's table, and the id where the stretch ends."""

    rows: list["ClientJob"]
    end: int | None  # None where the table ends before it


class ClientJobQuerySet(models.QuerySet["ClientJob"]):
    def piece(self, *, after: int, size: int) -> Piece:
        """The NEW rows among the next ``size`` rows behind an id, a chunk of them at most."""
        behind = self.filter(job_id__gt=after).order_by("job_id")
        ids = list(behind.values_list("job_id", flat=True)[:size])
        if not ids:
            return Piece([], None)
        looks_new = behind.annotate(capitals=Upper("status")).filter(
            job_id__lte=ids[-1], capitals__contains=JobStatus.NEW
        )
        found = list(looks_new[:CHUNK])
        end = found[-1].job_id if len(found) == CHUNK else ids[-1]
        return Piece([row for row in found if row.plain_status == JobStatus.NEW], end)


class ClientJob(models.Model):
    """A row of the client's table, which is theirs: any text anywhere, or none."""

    job_id = models.IntegerField(db_column="Job_id", primary_key=True)
    type = models.CharField(db_column="Job_type", max_length=255, null=True)  # noqa: DJ001
    status = models.CharField(db_column="Job_status", max_length=255, null=True)  # noqa: DJ001
    firstname = models.CharField(  # noqa: DJ001
        db_column="Client_firstname", max_length=255, null=True
    )
    lastname = models.CharField(  # noqa: DJ001
        db_column="Client_lastname", max_length=255, null=True
    )
    postcode = models.CharField(  # noqa: DJ001
        db_column="Client_postcode", max_length=255, null=True
    )
    mobile = models.CharField(db_column="Client_mobile", max_length=255, null=True)  # noqa: DJ001
    product_id = models.CharField(db_column="Product_id", max_length=255, null=True)  # noqa: DJ001
    product_type = models.CharField(  # noqa: DJ001
        db_column="Product_type", max_length=255, null=True
    )

    objects = ClientJobQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "Jobs"

    def __str__(self) -> str:
        return f"client's job {self.job_id}"

    @property
    def plain_status(self) -> str:
        return plain_status(self.status)

    def facts(self) -> dict[str, str]:
        """What we copy besides the status, by our names."""
        return {name: getattr(self, name) or "" for name in FACTS}


# Our names of the columns that we copy as they are, with the client's.
FACTS = {
    "type": "Job_type",
    "firstname": "Client_firstname",
    "lastname": "Client_lastname",
    "postcode": "Client_postcode",
    "mobile": "Client_mobile",
    "product_id": "Product_id",
    "product_type": "Product_type",
}


# --- Jobs, and what became of them ---------------------------------------------------------------


class JobQuerySet(models.QuerySet["Job"]):
    def locked(self, job_id: int) -> "Job":
        """The job, held until the transaction ends: whoever changes it waits here.

        :raises Job.DoesNotExist: if we never collected it.
        """
        return self.select_for_update().get(pk=job_id)

    def with_details(self) -> Self:
        """These, with all that their documents show read along."""
        return self.prefetch_related("parts", "sms", "errands", "acknowledgements")

    def under_way(self) -> Self:
        return self.filter(closed_at=None)

    def held(self) -> Self:
        """Those that wait for somebody to decide whether their customers are texted."""
        return self.filter(is_held=True)

    def by_status(self) -> dict[str, int]:
        """How many of these have each status."""
        counts = self.order_by("status").values_list("status").annotate(models.Count("pk"))
        return dict(counts)

    def chunks(self, *, start: int) -> Iterator[dict[int, "Job"]]:
        """All of these by id, a chunk at a time: from ``start`` on, then those before it."""
        for part in (self.filter(pk__gte=start), self.filter(pk__lt=start)):
            after = MIN_JOB_ID - 1
            while chunk := {it.pk: it for it in part.filter(pk__gt=after).order_by("pk")[:CHUNK]}:
                yield chunk
                after = max(chunk)

    def anywhere(self) -> int:
        """Some id from the lowest one to the highest."""
        bounds = self.aggregate(lowest=models.Min("pk"), highest=models.Max("pk"))
        if bounds["lowest"] is None:
            return MIN_JOB_ID
        return random.randint(bounds["lowest"], bounds["highest"])


class Job(models.Model):
    """Our copy of one of the client's jobs, and how far we carried it."""

    job_id = models.IntegerField(primary_key=True)  # the client's
    status = models.CharField(max_length=255)  # as the client has it, in our spelling
    type = models.CharField(max_length=255, blank=True)
    firstname = models.CharField("first name", max_length=255, blank=True)
    lastname = models.CharField("last name", max_length=255, blank=True)
    postcode = models.CharField(max_length=255, blank=True)
    mobile = models.CharField(max_length=255, blank=True)
    product_id = models.CharField(max_length=255, blank=True)
    product_type = models.CharField(max_length=255, blank=True)
    collected_at = models.DateTimeField()
    is_held = models.BooleanField(default=False)  # until somebody decides whether to text
    is_missing = models.BooleanField(default=False)  # the client's row has gone
    paid_at = models.DateTimeField(null=True)  # the first payment
    paid_written_at = models.DateTimeField(null=True)  # where the client has a status for it
    closed_at = models.DateTimeField(null=True)  # by us, or found closed when we came to do it
    version = models.PositiveBigIntegerField(default=1)  # of the document

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["closed_at", "job_id"], name="job_under_way"),
            models.Index(fields=["collected_at", "job_id"], name="job_by_day"),
            models.Index(fields=["status", "collected_at", "job_id"], name="job_by_status"),
        ]
        permissions = [("view_personal_data", "Can see customers' names and phone numbers")]

    def __str__(self) -> str:
        return f"job {self.spoken_id}"

    @property
    def spoken_id(self) -> str:
        return spoken_id(self.job_id)

    @property
    def is_completed(self) -> bool:
        return self.status in {JobStatus.COMPLETED, JobStatus.CLOSED}

    @property
    def owes_paid_status(self) -> bool:
        """Whether a client that has a status for paid jobs is still to be told."""
        is_open = self.status not in {JobStatus.NEW, JobStatus.CLOSED}
        return is_open and self.paid_at is not None and self.paid_written_at is None

    def facts(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in FACTS}


def spoken_id(job_id: int) -> str:
    """A job's id as documents have it."""
    return f"{job_id:05}"


class JobTransactionQuerySet(models.QuerySet["JobTransaction"]):
    def note(self, job: Job, note: str, *, at: datetime) -> None:
        """Enter into the ledger what was read, written or happened."""
        self.create(job=job, status=job.status, created_at=at, note=note[:255])


class JobTransaction(models.Model):
    """A line of the ledger: one GET from the client, one PUT to it, or one event."""

    job = models.ForeignKey(
        Job, on_delete=models.PROTECT, db_column="Job_id", related_name="transactions"
    )
    status = models.CharField(db_column="Job_status", max_length=255)
    created_at = models.DateTimeField(db_column="creationDate")
    note = models.CharField(db_column="Update_note", max_length=255)

    objects = JobTransactionQuerySet.as_manager()

    class Meta:
        db_table = "job_trans"
        indexes = [
            models.Index(fields=["created_at", "id"], name="ledger_order"),
            models.Index(fields=["job", "created_at", "id"], name="ledger_of_a_job"),
        ]
        verbose_name = "ledger line"
        verbose_name_plural = "ledger lines"

    def __str__(self) -> str:
        return f"{self.job_id}: {self.note}"


class Acknowledgement(models.Model):
    """A person has seen what a job is flagged for; gone when the job no longer is."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="acknowledgements")
    flag = models.CharField(max_length=300)  # a flag's key, not its words
    text = models.CharField(max_length=600)
    acknowledged_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "flag"], name="acknowledged_once")]
        verbose_name = "flag seen by a person"
        verbose_name_plural = "flags seen by a person"

    def __str__(self) -> str:
        return f"job {self.job_id}: {self.text}"


class Payment(models.Model):
    """Money received for a job, once per reference."""

    reference = models.CharField(max_length=255, unique=True)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="payments")
    amount_hundredths = models.BigIntegerField()  # SQLite would add decimals as floats
    currency = models.CharField(max_length=3)
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["received_at", "id"], name="payment_order")]

    def __str__(self) -> str:
        return f"payment {self.reference}"

    @property
    def amount(self) -> Decimal:
        return Decimal(self.amount_hundredths).scaleb(-2)

    def content(self) -> dict[str, Any]:
        """What a repeated report must equal."""
        return {"job_id": self.job_id, "amount": self.amount, "currency": self.currency}


class PartStatus(models.TextChoices):
    NEEDED = "needed"
    ORDERED = "ordered"
    RECEIVED = "received"
    FITTED = "fitted"


class Part(models.Model):
    """A part that a repair needs."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="parts")
    part_number = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    quantity = models.PositiveIntegerField()
    status = models.CharField(max_length=8, choices=PartStatus, default=PartStatus.NEEDED)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=PartStatus.values), name="known_part_status"
            ),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="some_of_a_part"),
        ]
        indexes = [models.Index(fields=["status", "id"], name="part_by_status")]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.part_number} for job {self.job_id}"


# --- SMS -----------------------------------------------------------------------------------------


class SmsKind(models.TextChoices):
    COURTESY = "courtesy"
    FEEDBACK = "feedback"
    PRIVATE = "private"
    INBOUND = "inbound"


class SmsState(models.TextChoices):
    QUEUED = "queued"
    SENDING = "sending"  # the attempt is on record; whether the bytes left is not
    UNKNOWN = "unknown"  # it may have left; never sent again by itself
    WITHHELD = "withheld"  # not to be sent: no textable number, opted out, adopted in silence
    ACCEPTED = "accepted"
    FAILED = "failed"  # refused, or not delivered
    DELIVERED = "delivered"
    RECEIVED = "received"  # inbound


OPEN_STATES = (SmsState.QUEUED, SmsState.SENDING, SmsState.UNKNOWN)
# What a delivery report says, in the order in which states may follow each other.
REPORTED = {
    "submitted": SmsState.ACCEPTED,
    "rejected": SmsState.FAILED,
    "undeliverable": SmsState.FAILED,
    "delivered": SmsState.DELIVERED,
    "read": SmsState.DELIVERED,
}
STATE_RANKS = {
    SmsState.QUEUED.value: 0,
    SmsState.SENDING.value: 0,
    SmsState.UNKNOWN.value: 0,
    SmsState.WITHHELD.value: 1,
    SmsState.ACCEPTED.value: 1,
    SmsState.FAILED.value: 2,
    SmsState.DELIVERED.value: 3,
    SmsState.RECEIVED.value: 4,
}


class SmsQuerySet(models.QuerySet["Sms"]):
    def by_state(self, *, since: datetime) -> dict[str, int]:
        """How many of those made since then are in each state."""
        recent = self.filter(created_at__gte=since).order_by("state")
        return dict(recent.values_list("state").annotate(models.Count("pk")))


class Sms(models.Model):
    """One SMS, to an end-user or from one."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="sms", null=True)
    kind = models.CharField(max_length=8, choices=SmsKind)
    state = models.CharField(max_length=9, choices=SmsState)
    # What there can be only one of, ever: a courtesy and a feedback a job, an inbound message.
    once = models.CharField(max_length=100, unique=True, null=True)  # noqa: DJ001
    reference = models.UUIDField(default=uuid4, unique=True)  # by which reports come back
    message_uuid = models.CharField("Vonage's UUID", max_length=64, blank=True, db_index=True)
    sender = models.CharField(max_length=64, blank=True)
    recipient = models.CharField(max_length=64, blank=True)
    text = models.TextField()
    segments = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=255, blank=True)  # why withheld, failed or unknown
    needs_attention = models.BooleanField(default=False)  # withheld, though nobody wanted that
    attempts = models.PositiveIntegerField(default=0)
    attempted_at = models.DateTimeField(null=True)  # the last time
    created_at = models.DateTimeField()

    objects = SmsQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["recipient", "attempted_at"], name="sms_last_to"),
            models.Index(fields=["created_at", "id", "state"], name="sms_outcomes"),
            models.Index(fields=["state", "created_at", "id"], name="sms_by_state"),
        ]
        verbose_name = "SMS"
        verbose_name_plural = "SMS"

    def __str__(self) -> str:
        return f"{self.kind} SMS {self.pk} of job {self.job_id}"

    @property
    def is_settled(self) -> bool:
        return self.state not in OPEN_STATES


class DeliveryReport(models.Model):
    """A report of Vonage about an SMS, once however often it came; kept if it came too early."""

    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of what it says
    message_uuid = models.CharField("Vonage's UUID", max_length=64, db_index=True)
    reference = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=32)
    reason = models.CharField(max_length=255, blank=True)
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.message_uuid} {self.status}"


class OptOut(models.Model):
    """A number that wants no more SMS."""

    number = models.CharField(max_length=64, unique=True)
    since = models.DateTimeField()

    class Meta:
        verbose_name = "opt-out"
        verbose_name_plural = "opt-outs"

    def __str__(self) -> str:
        return f"opt-out {self.pk}"


# --- Owed ----------------------------------------------------------------------------------------


class ErrandKind(models.TextChoices):
    DOCUMENT = "document"  # write the job's document
    SMS = "sms", "SMS"  # send an SMS
    STATUS = "status"  # tell the client a status


class ErrandQuerySet(models.QuerySet["Errand"]):
    def owe(
        self, job: Job, kind: ErrandKind, subject: str = "", *, after: timedelta | None = None
    ) -> None:
        """Owe something from now or from later on; what is owed already stays as it is.

        A document that was given up is tried anew: what it shows is another thing by now.
        """
        due = ahead(after) if after else Now()
        owed, is_new = self.get_or_create(
            job=job, kind=kind, subject=subject, defaults={"due_at": due}
        )
        if not is_new and kind == ErrandKind.DOCUMENT and owed.due_at is None:
            self.filter(pk=owed.pk).retry()

    def owe_new(self, kind: ErrandKind, subjects: Mapping[Job, str]) -> None:
        """Owe something for each of these jobs, which owe nothing of the kind yet."""
        self.bulk_create(
            Errand(job=job, kind=kind, subject=subject, due_at=Now())
            for job, subject in subjects.items()
        )

    @in_transaction
    def claim(self, kind: str, *, most: int = 1) -> "list[Errand]":
        """Errands that are due, for this caller alone until their lease ends."""
        skip = connections["repairjobs"].features.has_select_for_update_skip_locked
        due = self.select_for_update(skip_locked=skip).filter(kind=kind, due_at__lte=Now())
        # By the index that finds them: sorting would lock every one that is due.
        errands, claim = list(due.order_by("due_at")[:most]), uuid4()
        for errand in errands:
            errand.claim = claim
            errand.attempts += 1
        self.filter(pk__in=[errand.pk for errand in errands]).update(
            claim=claim, attempts=models.F("attempts") + 1, due_at=ahead(settings.OUTBOX_LEASE)
        )
        return errands

    def held(self, errand: "Errand") -> Self:
        """The errand's row, if the caller's claim on it still stands."""
        return self.filter(pk=errand.pk, claim=errand.claim)

    def intended(self) -> Self:
        """The errands that may have written their status to the client, and will soon tell."""
        soon = self.filter(due_at__isnull=False)
        return soon.filter(kind=ErrandKind.STATUS, is_intended=True)

    def quarantined(self) -> Self:
        return self.filter(due_at=None)

    def retry(self) -> int:
        """Make these due now, with all their attempts before them."""
        return self.update(due_at=Now(), attempts=0)


class Errand(models.Model):
    """Something owed to an outside system, until it is done.

    A claim moves ``due_at`` behind its lease, so that nobody else takes the errand meanwhile and
    somebody does if the worker dies. An errand that is due never is quarantined.
    """

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="errands")
    kind = models.CharField(max_length=8, choices=ErrandKind)
    subject = models.CharField(max_length=64, blank=True)  # an SMS's reference, a status
    due_at = models.DateTimeField(null=True)  # in the database's time
    claim = models.UUIDField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    is_intended = models.BooleanField(
        default=False, help_text="A write to the client may have happened already."
    )
    last_error = models.CharField(max_length=255, blank=True)

    objects = ErrandQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "kind", "subject"], name="owed_once")]
        indexes = [models.Index(fields=["kind", "due_at"], name="errand_due")]
        verbose_name = "owed errand"
        verbose_name_plural = "owed errands"

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} of job {self.job_id}".replace("  ", " ")

    @property
    def is_quarantined(self) -> bool:
        return self.due_at is None


def ahead(length: timedelta) -> Any:
    """An instant so much ahead, in the database's own time."""
    return models.ExpressionWrapper(Now() + length, output_field=models.DateTimeField())


# --- How far we are ------------------------------------------------------------------------------


class CollectionQuerySet(models.QuerySet["Collection"]):
    def current(self) -> "Collection":
        return self.filter(pk=1).first() or Collection(pk=1)

    def locked(self) -> "Collection":
        """The state, held until the transaction ends: whoever collects waits here."""
        return self.select_for_update().get_or_create(pk=1)[0]


class Collection(models.Model):
    """How far we read the client's table: one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    watermark = models.BigIntegerField(
        null=True, help_text="The highest id that was read of the client's table."
    )
    swept_to = models.BigIntegerField(
        default=MIN_JOB_ID - 1,
        help_text="The id up to which the sweep is that reads the whole table, round and round.",
    )
    is_live = models.BooleanField(default=False, help_text="The first collect has come to its end.")
    completed_at = models.DateTimeField(
        null=True, help_text="When all new jobs were last collected."
    )

    objects = CollectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="one_state_of_collection")
        ]
        verbose_name_plural = "collection"

    def __str__(self) -> str:
        return f"collected to {self.watermark}"


class DepartureQuerySet(models.QuerySet["Departure"]):
    @in_transaction
    def next(self, *, per_second: int) -> timedelta:
        """Reserve when the next SMS may leave, one after the other over all workers.

        Return how long that is from now.
        """
        self.get_or_create(pk=1, defaults={"free_at": Now()})
        line = self.select_for_update().filter(pk=1)
        free_at, now = line.values_list("free_at", Now()).get()
        leaves_at = max(free_at, now)
        self.filter(pk=1).update(free_at=leaves_at + timedelta(seconds=1 / per_second))
        wait: timedelta = leaves_at - now
        return wait


class Departure(models.Model):
    """When the next SMS may leave: one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    free_at = models.DateTimeField()  # in the database's time

    objects = DepartureQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="one_line_of_departures")
        ]

    def __str__(self) -> str:
        return f"free at {self.free_at}"
