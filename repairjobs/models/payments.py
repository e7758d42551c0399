from decimal import Decimal
from typing import Any

from django.db import models

from repairjobs.models.jobs import Job


class PaymentQuerySet(models.QuerySet["Payment"]):
    def store_once(self, payment: "Payment") -> "tuple[Payment, bool]":
        """Return the stored payment with this reference, and whether it is new."""
        return self.get_or_create(
            reference=payment.reference,
            defaults={
                "job": payment.job,
                "amount_hundredths": payment.amount_hundredths,
                "currency": payment.currency,
                "received_at": payment.received_at,
            },
        )


class Payment(models.Model):
    """Money received for a job, stored once per reference."""

    reference = models.CharField(max_length=255, unique=True)
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="payments")
    amount_hundredths = models.BigIntegerField()  # SQLite would add decimals as floats
    currency = models.CharField(max_length=3)
    received_at = models.DateTimeField()

    objects = PaymentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                # A repair under warranty may be paid with 0.00.
                condition=models.Q(amount_hundredths__gte=0),
                name="payment_amount_is_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^[A-Z]{3}$"),
                name="payment_currency_is_a_code",
            ),
        ]
        indexes = [models.Index(fields=["received_at", "id"], name="payment_order")]

    def __str__(self) -> str:
        return f"payment {self.reference}"

    @property
    def amount(self) -> Decimal:
        return Decimal(self.amount_hundredths).scaleb(-2)

    def content(self) -> dict[str, Any]:
        """Return the values that must be equal if the payment is reported again."""
        return {"job_id": self.job_id, "amount": self.amount, "currency": self.currency}
