import random
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Self, TypeVar

from django.db import models

from repairjobs.models.client import BATCH_SIZE, CLIENT_COLUMNS, MIN_JOB_ID

Row = TypeVar("Row", bound=models.Model)


class UnknownJob(Exception):
    """The job was never imported."""

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} is unknown")


class JobState(models.TextChoices):
    """The state of a job in our workflow. ``Job.status`` is the status of the client."""

    NEW = "new"
    OPENED = "opened"
    IN_PROGRESS = "in progress"
    COMPLETED = "completed"  # the work is done; the job may not be paid
    CLOSED_BY_CLIENT = "closed by client"  # before we closed it
    UNRECOGNISED = "unrecognised"  # the client's status is not one of ours
    CLOSED = "closed"
    REOPENED = "reopened"  # closed before; now the client has a different status


# In the order of JobState, so that migrations do not change.
FINISHED = (JobState.CLOSED, JobState.REOPENED)
UNDER_WAY = tuple(state for state in JobState if state not in FINISHED)


class JobQuerySet(models.QuerySet["Job"]):
    def locked(self, job_id: int) -> "Job":
        """Return the job, locked until the transaction ends.

        :raises UnknownJob: if the job was never imported.
        """
        try:
            return self.select_for_update().get(pk=job_id)
        except Job.DoesNotExist as error:
            raise UnknownJob(job_id) from error

    def locked_batch(self, job_ids: Iterable[int]) -> Self:
        """Return these jobs, locked in the order of ids so that two batches cannot deadlock."""
        return self.select_for_update().filter(pk__in=job_ids).order_by("pk")

    def is_known(self, job_id: int) -> bool:
        return self.filter(pk=job_id).exists()

    def with_details(self) -> Self:
        """Prefetch all rows that the jobs' documents show."""
        return self.prefetch_related("parts", "sms", "outbox_tasks", "acknowledgements")

    def under_way(self) -> Self:
        return self.filter(closed_at=None)

    def on_hold(self) -> Self:
        """Return the jobs that wait until a person decides whether to text their customers."""
        return self.filter(is_on_hold=True)

    def ids(self) -> list[int]:
        return list(self.order_by("pk").values_list("pk", flat=True))

    def count_by_status(self) -> dict[str, int]:
        """Return how many of these jobs have each status."""
        counts = self.order_by("status").values_list("status").annotate(models.Count("pk"))
        return dict(counts)

    def batches(self, *, start: int) -> Iterator[dict[int, "Job"]]:
        """Yield these jobs by id, in batches: first from ``start`` on, then those before it."""
        for part in (self.filter(pk__gte=start), self.filter(pk__lt=start)):
            after = MIN_JOB_ID - 1
            while batch := {
                job.pk: job for job in part.filter(pk__gt=after).order_by("pk")[:BATCH_SIZE]
            }:
                yield batch
                after = max(batch)

    def random_id(self) -> int:
        """Return a random number between the lowest and the highest id."""
        bounds = self.aggregate(lowest=models.Min("pk"), highest=models.Max("pk"))
        if bounds["lowest"] is None:
            return MIN_JOB_ID
        return random.randint(bounds["lowest"], bounds["highest"])


class Job(models.Model):
    """Our copy of a client's job, with its state in our workflow."""

    job_id = models.IntegerField(primary_key=True)  # the client's id
    state = models.CharField(max_length=16, choices=JobState, default=JobState.NEW)
    status = models.CharField(max_length=255)  # the client's status, normalized
    type = models.CharField(max_length=255, blank=True)
    firstname = models.CharField("first name", max_length=255, blank=True)
    lastname = models.CharField("last name", max_length=255, blank=True)
    postcode = models.CharField(max_length=255, blank=True)
    mobile = models.CharField(max_length=255, blank=True)
    product_id = models.CharField(max_length=255, blank=True)
    product_type = models.CharField(max_length=255, blank=True)
    imported_at = models.DateTimeField()
    is_on_hold = models.BooleanField(default=False)  # until a person decides about texting
    is_missing = models.BooleanField(default=False)  # the client deleted the row
    paid_at = models.DateTimeField(null=True)  # the first payment
    paid_written_at = models.DateTimeField(null=True)  # only if the client has a status for it
    closed_at = models.DateTimeField(null=True)
    version = models.PositiveBigIntegerField(default=1)  # of the document

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=UNDER_WAY, closed_at__isnull=True)
                | models.Q(state__in=FINISHED, closed_at__isnull=False),
                name="job_state_is_known",
            )
        ]
        indexes = [
            models.Index(fields=["closed_at", "job_id"], name="job_under_way"),
            models.Index(fields=["imported_at", "job_id"], name="job_by_day"),
            models.Index(fields=["status", "imported_at", "job_id"], name="job_by_status"),
        ]
        permissions = [("view_personal_data", "Can see customers' names and phone numbers")]

    def __str__(self) -> str:
        return f"job {self.formatted_id}"

    @property
    def formatted_id(self) -> str:
        return format_job_id(self.job_id)

    def client_fields(self) -> dict[str, str]:
        """Return the columns that were copied from the client unchanged."""
        return {name: getattr(self, name) for name in CLIENT_COLUMNS}


def format_job_id(job_id: int) -> str:
    """Return a job's id in the format of its document, with at least five digits."""
    return f"{job_id:05}"


def in_order(rows: "models.Manager[Row]") -> list[Row]:
    """Return a job's rows by id, without a query if they were prefetched."""
    return sorted(rows.all(), key=attrgetter("pk"))


class Acknowledgement(models.Model):
    """A mark that a person has seen a job's flag.

    It is deleted when the job no longer has the flag.
    """

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="acknowledgements")
    flag = models.CharField(max_length=300)  # the flag's key
    text = models.CharField(max_length=600)
    acknowledged_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "flag"], name="acknowledged_once")]
        verbose_name = "flag seen by a person"
        verbose_name_plural = "flags seen by a person"

    def __str__(self) -> str:
        return f"job {self.job_id}: {self.text}"
