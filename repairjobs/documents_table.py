from django.db import models


class JobDocument(models.Model):
    """A job's document where no MongoDB is set, as text with the columns that are asked by."""

    job_id = models.CharField(max_length=64, unique=True)
    status = models.CharField(max_length=255)
    has_attention = models.BooleanField()
    version = models.BigIntegerField()
    content = models.TextField()  # JSON, its keys in the order they were put

    class Meta:
        app_label = "repairjobs"
        indexes = [
            models.Index(fields=["status", "job_id"], name="document_by_status"),
            models.Index(fields=["has_attention", "job_id"], name="document_by_attention"),
            models.Index(fields=["status", "has_attention", "job_id"], name="document_by_both"),
        ]

    def __str__(self) -> str:
        return f"document of job {self.job_id}, version {self.version}"
