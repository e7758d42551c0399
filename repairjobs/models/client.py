"""The client's table, which we read and write but do not own."""

from typing import NamedTuple

from django.db import models
from django.db.models.functions import Upper

BATCH_SIZE = 1_000
# The client's system and our database can both hold these job ids.
MIN_JOB_ID, MAX_JOB_ID = -(2**31), 2**31 - 1


class JobStatus(models.TextChoices):
    """The client's statuses, in the order in which a job passes through them."""

    NEW = "NEW"
    OPENED = "OPENED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "JOB COMPLETED"
    CLOSED = "CLOSED"


STATUS_RANKS = {status.value: rank for rank, status in enumerate(JobStatus)}

# Our names of the columns that we copy unchanged, with the client's names.
CLIENT_COLUMNS = {
    "type": "Job_type",
    "firstname": "Client_firstname",
    "lastname": "Client_lastname",
    "postcode": "Client_postcode",
    "mobile": "Client_mobile",
    "product_id": "Product_id",
    "product_type": "Product_type",
}


def normalize_status(status: str | None) -> str:
    """Return a client's status in capitals, without extra spaces."""
    return " ".join((status or "").split()).upper()


class ScanBatch(NamedTuple):
    """The NEW rows of one part of the client's table."""

    rows: list["ClientJob"]
    end: int | None  # the last id of the part; None: the table has no more rows


class ClientJobQuerySet(models.QuerySet["ClientJob"]):
    def scan(self, *, after: int, size: int) -> ScanBatch:
        """Return the NEW rows among the next ``size`` rows after an id, at most one batch."""
        following = self.filter(job_id__gt=after).order_by("job_id")
        ids = list(following.values_list("job_id", flat=True)[:size])
        if not ids:
            return ScanBatch([], None)
        candidates = following.annotate(capitals=Upper("status")).filter(
            job_id__lte=ids[-1], capitals__contains=JobStatus.NEW
        )
        rows = list(candidates[:BATCH_SIZE])
        end = rows[-1].job_id if len(rows) == BATCH_SIZE else ids[-1]
        return ScanBatch([row for row in rows if row.normalized_status == JobStatus.NEW], end)

    def id_before(self, job_id: int, *, rows: int) -> int | None:
        """Return the id that is this many rows before an id; None if there are fewer rows."""
        before = self.filter(job_id__lt=job_id).order_by("-job_id")
        return before.values_list("job_id", flat=True)[rows - 1 : rows].first()

    def next_free_id(self) -> int:
        """Return the id after the highest one, at least 1."""
        highest = self.aggregate(models.Max("job_id"))["job_id__max"]
        return max(highest or 0, 0) + 1

    def set_columns(self, job_id: int, **columns: str | None) -> "ClientJob | None":
        """Change columns of a row and return it; None if there is no such row."""
        row = self.filter(pk=job_id)
        if columns:
            row.update(**columns)
        return row.first()

    def compare_and_set(self, job_id: int, *, expected: str | None, status: str) -> bool:
        """Set a row's status if it still has the expected status. Return whether it was set."""
        return bool(self.filter(pk=job_id, status=expected).update(status=status))


class ClientJob(models.Model):
    """A row of the client's table. Every column may hold any text, or NULL."""

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
    def normalized_status(self) -> str:
        return normalize_status(self.status)

    def client_fields(self) -> dict[str, str]:
        """Return the columns that we copy unchanged, by our names."""
        return {name: getattr(self, name) or "" for name in CLIENT_COLUMNS}
