"""SMS that a person writes."""

from datetime import datetime

from common.db.transactions import atomic_with_retry
from repairjobs.models import Job, OutboxKind, OutboxTask, Sms, SmsKind
from repairjobs.services.sms_states import find_transition, why_unreachable
from repairjobs.services.sms_texts import draft_sms


class CannotText(Exception):
    """The job's customer cannot be texted. The message is the reason."""


@atomic_with_retry(using="repairjobs")
def send_private_message(*, job_id: int, text: str, at: datetime) -> Sms:
    """Enqueue an SMS with this text to the job's customer.

    :raises UnknownJob:
    :raises CannotText: if the number cannot be texted or has opted out.
    """
    job = Job.objects.locked(job_id)
    sms = draft_sms(SmsKind.PRIVATE, job, at=at, text=text)
    if event := why_unreachable(sms):
        transition = find_transition(sms.state, event)
        raise CannotText(transition.reason if transition else event)
    sms.save()
    OutboxTask.objects.enqueue(job, OutboxKind.SMS, str(sms.reference))
    return sms
