from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Self
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connections, models
from django.db.models.functions import Now

from common.db.transactions import atomic_with_retry
from repairjobs.models.jobs import Job


class OutboxKind(models.TextChoices):
    DOCUMENT = "document"  # write the job's document
    SMS = "sms", "SMS"  # send an SMS
    STATUS = "status"  # write a status to the client


class OutboxTaskQuerySet(models.QuerySet["OutboxTask"]):
    def enqueue(
        self,
        job: Job,
        kind: OutboxKind,
        subject: str = "",
        *,
        delay: timedelta | None = None,
        revive: bool = False,
    ) -> None:
        """Enqueue a task, now or after a delay. An existing task stays unchanged.

        :param revive: retry the task if it is a dead letter.
        """
        due_at = from_now(delay) if delay else Now()
        task, is_new = self.get_or_create(
            job=job, kind=kind, subject=subject, defaults={"due_at": due_at}
        )
        if not is_new and revive and task.is_dead_letter:
            self.row_of(task).retry()

    def enqueue_many(self, kind: OutboxKind, subjects: Mapping[Job, str]) -> None:
        """Enqueue a task for each of these jobs, which must not have one of this kind yet."""
        self.bulk_create(
            OutboxTask(job=job, kind=kind, subject=subject, due_at=Now())
            for job, subject in subjects.items()
        )

    @atomic_with_retry(using="repairjobs")
    def claim(self, kind: str, *, limit: int = 1) -> "list[OutboxTask]":
        """Claim tasks that are due. No other worker can claim them until the lease ends."""
        skip = connections["repairjobs"].features.has_select_for_update_skip_locked
        due = self.select_for_update(skip_locked=skip).filter(kind=kind, due_at__lte=Now())
        # Ordered like the index: MySQL would lock every due task if it had to sort.
        tasks, claim = list(due.order_by("due_at")[:limit]), uuid4()
        for task in tasks:
            task.claim = claim
            task.attempts += 1
        self.filter(pk__in=[task.pk for task in tasks]).update(
            claim=claim, attempts=models.F("attempts") + 1, due_at=from_now(settings.OUTBOX_LEASE)
        )
        return tasks

    def row_of(self, task: "OutboxTask") -> Self:
        return self.filter(pk=task.pk)

    def claimed_by(self, task: "OutboxTask") -> Self:
        """Return the task's row, if no other worker has claimed it since."""
        return self.filter(pk=task.pk, claim=task.claim)

    def of_job(self, job_id: int) -> Self:
        return self.filter(job_id=job_id)

    def of_jobs(self, kind: OutboxKind, job_ids: Iterable[int], *, claim: UUID | None) -> Self:
        """Return the tasks of a kind for these jobs that were claimed together."""
        return self.filter(job__in=job_ids, kind=kind, claim=claim)

    def about(self, job_id: int, kind: OutboxKind, subject: str) -> Self:
        """Return the task of a job with this subject."""
        # By job, as in the index: a search by kind would wait for rows that other workers lock.
        return self.filter(job_id=job_id, kind=kind, subject=subject)

    def unclaimed(self, job: Job, kind: OutboxKind, subject: str) -> Self:
        """Return the job's pending task with this subject, if no worker ever claimed it."""
        return self.pending(job).filter(kind=kind, subject=subject, claim=None)

    def pending(self, job: Job) -> Self:
        """Return the job's tasks that a worker will still attempt."""
        return self.filter(job=job, due_at__isnull=False)

    def write_started(self, job: Job) -> Self:
        """Return the job's pending tasks whose write may have reached the client already."""
        return self.pending(job).filter(write_started=True)

    def reschedule(self, pause: timedelta, *, attempts: int, error: str) -> None:
        """Make these tasks due after a pause."""
        self.update(due_at=from_now(pause), attempts=attempts, last_error=error[:255])

    def postpone(self, wait: timedelta, *, attempts: int) -> None:
        """Make these tasks due later. This is not a failure."""
        self.update(due_at=from_now(wait), attempts=attempts)

    def bury(self, *, error: str) -> int:
        """Make these tasks dead letters. Return how many there are."""
        return self.update(due_at=None, claim=None, last_error=error[:255])

    def restart_write(self) -> None:
        """Make these status updates due now, as if their writes had not been started."""
        self.update(due_at=Now(), write_started=False)

    def dead_letters(self) -> Self:
        return self.filter(due_at=None)

    def retry(self) -> int:
        """Make these tasks due now, with no attempts used. Return how many there are."""
        return self.update(due_at=Now(), attempts=0)


class OutboxTask(models.Model):
    """Work for an outside system, stored as a row until it is done.

    A claim moves ``due_at`` to the end of its lease, so that another worker takes the task if the
    first one dies. ``due_at = NULL`` marks a dead letter.
    """

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="outbox_tasks")
    kind = models.CharField(max_length=16, choices=OutboxKind)
    subject = models.CharField(max_length=64, blank=True)  # an SMS's reference, a status
    due_at = models.DateTimeField(null=True)  # by the database's clock
    claim = models.UUIDField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    write_started = models.BooleanField(
        default=False, help_text="The status may have been written to the client."
    )
    last_error = models.CharField(max_length=255, blank=True)

    objects = OutboxTaskQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "kind", "subject"], name="outbox_task_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=OutboxKind.values), name="outbox_kind_is_known"
            ),
        ]
        indexes = [models.Index(fields=["kind", "due_at"], name="outbox_task_due")]
        verbose_name = "outbox task"
        verbose_name_plural = "outbox"

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} of job {self.job_id}".replace("  ", " ")

    @property
    def is_dead_letter(self) -> bool:
        return self.due_at is None


def from_now(delay: timedelta) -> Any:
    """Return the instant after a delay, by the database's clock."""
    return models.ExpressionWrapper(Now() + delay, output_field=models.DateTimeField())
