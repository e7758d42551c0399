"""Payments for jobs."""

from datetime import datetime
from decimal import Decimal

from common.db.transactions import atomic_with_retry
from repairjobs.models import Job, Payment
from repairjobs.services.workflow import JobEvent, advance


class PaymentConflict(Exception):
    """The reference belongs to a different payment, which stays unchanged."""

    def __init__(self, stored: Payment, received: Payment) -> None:
        super().__init__(f"payment {stored.reference} is already stored with other content")
        before, after = stored.content(), received.content()
        self.conflicts = {
            name: (before[name], after[name]) for name in before if before[name] != after[name]
        }


@atomic_with_retry(using="repairjobs")
def receive_payment(
    *, job_id: int, reference: str, amount: Decimal, currency: str, at: datetime
) -> tuple[Payment, bool]:
    """Record a payment once per reference and advance the job.

    Return the stored payment, and False if this payment was recorded before.

    :raises UnknownJob: if the job was never imported.
    :raises PaymentConflict: if the reference belongs to a different payment.
    """
    job = Job.objects.locked(job_id)
    received = Payment(
        reference=reference,
        job=job,
        amount_hundredths=int(amount.scaleb(2)),
        currency=currency,
        received_at=at,
    )
    payment, is_new = Payment.objects.store_once(received)
    if not is_new:
        if payment.content() != received.content():
            raise PaymentConflict(payment, received)
        return payment, False
    # In the same transaction: a crash from here on delays the feedback SMS but cannot lose it.
    advance(job, JobEvent.PAYMENT_RECEIVED, at=at, reference=reference)
    return payment, True
