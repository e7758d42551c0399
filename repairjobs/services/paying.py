"""Money received for jobs."""

from datetime import datetime
from decimal import Decimal

from repairjobs.models import (
    JobTransaction,
    Payment,
)
from repairjobs.services.jobs import change, locked_job
from repairjobs.services.owing import carry_on
from repairjobs.transactions import in_transaction


class PaymentConflict(Exception):
    """The reference stands for another payment, which stays as it is."""

    def __init__(self, stored: Payment, sent: Payment) -> None:
        super().__init__(f"payment {stored.reference} is known with other content")
        before, after = stored.content(), sent.content()
        self.conflicts = {
            name: (before[name], after[name]) for name in before if before[name] != after[name]
        }


@in_transaction
def receive_payment(
    *, job_id: int, reference: str, amount: Decimal, currency: str, at: datetime
) -> tuple[Payment, bool]:
    """Record a payment, once per reference; a completed job then owes its feedback SMS.

    Return the stored payment, and False if this very payment was recorded before.

    :raises UnknownJob: if we never collected that job.
    :raises PaymentConflict: if the reference stands for another payment.
    """
    job = locked_job(job_id)
    sent = Payment(
        reference=reference,
        job=job,
        amount_hundredths=int(amount.scaleb(2)),
        currency=currency,
        received_at=at,
    )
    stored, is_new = Payment.objects.get_or_create(
        reference=reference,
        defaults={
            "job": job,
            "amount_hundredths": sent.amount_hundredths,
            "currency": currency,
            "received_at": at,
        },
    )
    if not is_new:
        if stored.content() != sent.content():
            raise PaymentConflict(stored, sent)
        return stored, False
    JobTransaction.objects.note(job, f"EVENT payment {reference} received", at=at)
    job.paid_at = job.paid_at or at
    change(job, "paid_at")
    # Owed in the same transaction: from here on a crash can delay the SMS, not lose it.
    carry_on(job, at=at)
    return stored, True
