from collections.abc import Iterable
from typing import Self

from django.db import models


class JobDocumentQuerySet(models.QuerySet["JobDocument"]):
    def older_than(self, job_id: str, version: int) -> Self:
        """Return a job's document, if it shows an older version of the job."""
        return self.filter(job_id=job_id, version__lt=version)

    def of_jobs(self, job_ids: Iterable[str]) -> Self:
        return self.filter(job_id__in=job_ids)

    def matching(self, *, status: str | None, attention: bool | None, after: str | None) -> Self:
        """Return the documents after a job id that meet these conditions; None means any."""
        rows = self.order_by("job_id")
        if status is not None:
            rows = rows.filter(status=status)
        if attention is not None:
            rows = rows.filter(has_attention=attention)
        if after is not None:
            rows = rows.filter(job_id__gt=after)
        return rows


class JobDocument(models.Model):
    """A job's document as JSON text, for installations without a document database."""

    job_id = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=255)
    has_attention = models.BooleanField()
    version = models.BigIntegerField()
    content = models.TextField()  # JSON; the keys keep their order

    objects = JobDocumentQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["status", "job_id"], name="document_by_status"),
            models.Index(fields=["has_attention", "job_id"], name="document_by_attention"),
            models.Index(fields=["status", "has_attention", "job_id"], name="document_by_both"),
        ]

    def __str__(self) -> str:
        return f"document of job {self.job_id}, version {self.version}"
