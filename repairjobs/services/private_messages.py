"""SMS in a person's own words."""

from datetime import datetime

from common.db.transactions import atomic_with_retry
from repairjobs.models import OutboxKind, OutboxTask, Sms, SmsKind
from repairjobs.services.sms_texts import suppress_if_unreachable, write_sms
from repairjobs.services.workflow import locked_job


class CannotText(Exception):
    """The job's customer cannot be texted; the message says why."""


@atomic_with_retry(using="repairjobs")
def send_private_message(*, job_id: int, text: str, at: datetime) -> Sms:
    """Enqueue an SMS with this text to the job's customer.

    :raises UnknownJob:
    :raises CannotText: if the number cannot be texted or has opted out.
    """
    job = locked_job(job_id)
    sms = write_sms(SmsKind.PRIVATE, job, at=at, text=text)
    if suppress_if_unreachable(sms, job):
        raise CannotText(sms.reason)
    sms.save()
    OutboxTask.objects.enqueue(job, OutboxKind.SMS, str(sms.reference))
    return sms
