from datetime import datetime

from django.db import models

from repairjobs.models.jobs import Job


class JobTransactionQuerySet(models.QuerySet["JobTransaction"]):
    def record(self, job: Job, note: str, *, at: datetime) -> None:
        """Add a line that starts with GET, PUT or EVENT."""
        self.create(job=job, status=job.status, created_at=at, note=note[:255])

    def record_many(self, jobs: list[Job], note: str, *, at: datetime) -> None:
        """Add the same line for each of these jobs."""
        self.bulk_create(
            JobTransaction(job=job, status=job.status, created_at=at, note=note) for job in jobs
        )


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
