from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID, uuid4

from django.db import models
from django.db.models.functions import Now

from common.db.transactions import atomic_with_retry
from repairjobs.models.jobs import Job


class SmsKind(models.TextChoices):
    COURTESY = "courtesy"
    FEEDBACK = "feedback"
    PRIVATE = "private"
    INBOUND = "inbound"


class SmsState(models.TextChoices):
    QUEUED = "queued"
    SENDING = "sending"  # an attempt was recorded; it may have reached the provider
    UNKNOWN = "unknown"  # perhaps sent; never sent again automatically
    SUPPRESSED = "suppressed"  # not sent: no usable number, opted out, or released silently
    ACCEPTED = "accepted"  # by the provider
    FAILED = "failed"  # rejected, or not delivered
    DELIVERED = "delivered"
    RECEIVED = "received"  # inbound


UNRESOLVED_STATES = (SmsState.QUEUED, SmsState.SENDING, SmsState.UNKNOWN)


def automatic_key(kind: SmsKind, job: Job) -> str:
    """Return the idempotency key of a job's only SMS of this kind."""
    return f"{kind}:{job.pk}"


class SmsQuerySet(models.QuerySet["Sms"]):
    def locked(self, **key: Any) -> "Sms":
        """Return the SMS with this key, locked until the transaction ends."""
        return self.select_for_update().get(**key)

    def count_by_state(self, *, since: datetime) -> dict[str, int]:
        """Return how many SMS created since an instant are in each state."""
        recent = self.filter(created_at__gte=since).order_by("state")
        return dict(recent.values_list("state").annotate(models.Count("pk")))

    def unknown(self) -> Self:
        """Return the SMS that were perhaps sent."""
        return self.filter(state=SmsState.UNKNOWN)

    def outbound(self) -> Self:
        return self.exclude(kind=SmsKind.INBOUND)

    def attempted(self, job_id: int) -> Self:
        """Return the job's SMS that were sent, or attempted."""
        return self.filter(job_id=job_id, attempted_at__isnull=False)

    def automatic(self, kind: SmsKind, job: Job) -> "Sms | None":
        """Return the job's only SMS of this kind, if there is one yet."""
        return self.filter(idempotency_key=automatic_key(kind, job)).first()

    def last_sent_to(self, number: str) -> "Sms | None":
        """Return the SMS that was last sent to a number, or attempted."""
        sent = self.filter(recipient=number, attempted_at__isnull=False)
        return sent.order_by("-attempted_at", "-pk").first()

    def sent_as(self, *, reference: UUID | None, message_uuid: str) -> "Sms | None":
        """Return the outbound SMS with our reference or, if none, with the provider's id."""
        sent = self.outbound()
        by_reference = sent.filter(reference=reference).first() if reference else None
        return by_reference or sent.filter(message_uuid=message_uuid).first()


class Sms(models.Model):
    """One SMS, to a customer or from one."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="sms", null=True)
    kind = models.CharField(max_length=8, choices=SmsKind)
    state = models.CharField(max_length=10, choices=SmsState)
    # Allows one courtesy and one feedback SMS per job, and each inbound message once.
    idempotency_key = models.CharField(max_length=100, unique=True, null=True)  # noqa: DJ001
    reference = models.UUIDField(default=uuid4, unique=True)  # delivery receipts repeat it
    message_uuid = models.CharField("provider's id", max_length=64, blank=True, db_index=True)
    sender = models.CharField(max_length=64, blank=True)
    recipient = models.CharField(max_length=64, blank=True)
    text = models.TextField()
    segments = models.PositiveSmallIntegerField(default=0)
    reason = models.CharField(max_length=255, blank=True)  # if suppressed, failed or unknown
    needs_attention = models.BooleanField(default=False)  # a person must check why it is suppressed
    attempts = models.PositiveIntegerField(default=0)
    attempted_at = models.DateTimeField(null=True)  # the last attempt
    created_at = models.DateTimeField()

    objects = SmsQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=SmsKind.values), name="sms_kind_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=SmsState.values), name="sms_state_is_known"
            ),
        ]
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
    def is_resolved(self) -> bool:
        return self.state not in UNRESOLVED_STATES


class DeliveryState(models.TextChoices):
    """The state of an SMS in a delivery receipt."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOT_DELIVERED = "not delivered"
    DELIVERED = "delivered"


class DeliveryReceiptQuerySet(models.QuerySet["DeliveryReceipt"]):
    def about(self, message_uuid: str) -> Self:
        return self.filter(message_uuid=message_uuid)


class DeliveryReceipt(models.Model):
    """A provider's receipt about an SMS, stored once.

    It may come before the provider's id of the SMS is stored.
    """

    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the content
    message_uuid = models.CharField("provider's id", max_length=64, db_index=True)
    reference = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=32)  # the provider's own term
    state = models.CharField(  # our term for the status; empty if the status changes nothing
        max_length=13, choices=DeliveryState, blank=True
    )
    reason = models.CharField(max_length=255, blank=True)
    received_at = models.DateTimeField()

    objects = DeliveryReceiptQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["", *DeliveryState.values]),
                name="delivery_state_is_known",
            )
        ]

    def __str__(self) -> str:
        return f"{self.message_uuid} {self.status}"


class OptOutQuerySet(models.QuerySet["OptOut"]):
    def includes(self, number: str) -> bool:
        return self.filter(number=number).exists()

    def among(self, numbers: set[str]) -> set[str]:
        """Return those of these numbers that have opted out."""
        return set(self.filter(number__in=numbers).values_list("number", flat=True))

    def remove(self, number: str) -> None:
        self.filter(number=number).delete()


class OptOut(models.Model):
    """A phone number whose owner wants no more SMS."""

    number = models.CharField(max_length=64, unique=True)
    since = models.DateTimeField()

    objects = OptOutQuerySet.as_manager()

    class Meta:
        verbose_name = "opt-out"
        verbose_name_plural = "opt-outs"

    def __str__(self) -> str:
        return f"opt-out {self.pk}"


class SmsSendSlotQuerySet(models.QuerySet["SmsSendSlot"]):
    @atomic_with_retry(using="repairjobs")
    def reserve(self, *, per_second: int) -> timedelta:
        """Reserve the next instant at which any worker may send an SMS.

        Return the time to wait until then.
        """
        self.get_or_create(pk=1, defaults={"free_at": Now()})
        slot = self.select_for_update().filter(pk=1)
        free_at, now = slot.values_list("free_at", Now()).get()
        send_at = max(free_at, now)
        self.filter(pk=1).update(free_at=send_at + timedelta(seconds=1 / per_second))
        wait: timedelta = send_at - now
        return wait


class SmsSendSlot(models.Model):
    """The next instant at which an SMS may be sent: one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    free_at = models.DateTimeField()  # by the database's clock

    objects = SmsSendSlotQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_sms_send_slot")]

    def __str__(self) -> str:
        return f"free at {self.free_at}"
