from typing import Self

from django.db import models

from repairjobs.models.jobs import Job


class PartStatus(models.TextChoices):
    NEEDED = "needed"
    ORDERED = "ordered"
    RECEIVED = "received"
    FITTED = "fitted"


class PartQuerySet(models.QuerySet["Part"]):
    def of_job(self, job_id: int) -> Self:
        return self.filter(job_id=job_id)

    def with_id(self, part_id: int) -> "Part | None":
        return self.filter(pk=part_id).first()


class Part(models.Model):
    """A part that a repair needs."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="parts")
    part_number = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    quantity = models.PositiveIntegerField()
    status = models.CharField(max_length=8, choices=PartStatus, default=PartStatus.NEEDED)

    objects = PartQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=PartStatus.values), name="part_status_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1), name="part_quantity_is_positive"
            ),
        ]
        indexes = [models.Index(fields=["status", "id"], name="part_by_status")]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.part_number} for job {self.job_id}"
