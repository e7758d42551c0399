from django.db import models

from repairjobs.models.client import MIN_JOB_ID


class ImportCursorQuerySet(models.QuerySet["ImportCursor"]):
    def current(self) -> "ImportCursor":
        return self.filter(pk=1).first() or ImportCursor(pk=1)

    def locked(self) -> "ImportCursor":
        """Return the cursor, locked until the transaction ends; other imports wait."""
        return self.select_for_update().get_or_create(pk=1)[0]

    def move_scan(self, position: int) -> None:
        """Store the position of the full scan."""
        self.filter(pk=1).update(scan_position=position)


class ImportCursor(models.Model):
    """The progress of the import from the client's table: one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    watermark = models.BigIntegerField(
        null=True, help_text="The highest id that was read from the client's table."
    )
    scan_position = models.BigIntegerField(
        default=MIN_JOB_ID - 1,
        help_text="The last id that the full scan has read. At the end, the scan starts again.",
    )
    is_live = models.BooleanField(default=False, help_text="The first import is complete.")
    completed_at = models.DateTimeField(
        null=True, help_text="When an import last reached the end of the table."
    )

    objects = ImportCursorQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_import_cursor")]
        verbose_name_plural = "import cursor"

    def __str__(self) -> str:
        return f"imported up to {self.watermark}"

    @property
    def highest_id(self) -> int:
        """The watermark; below all ids before the first import."""
        return MIN_JOB_ID - 1 if self.watermark is None else self.watermark
