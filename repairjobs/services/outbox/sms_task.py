import time
from datetime import timedelta

from django.conf import settings

from repairjobs.integrations.sms import sms_provider
from repairjobs.integrations.sms.base import SmsNotSent, SmsRefused, SmsUnknown
from repairjobs.models import OutboxKind, OutboxTask, SmsSendSlot
from repairjobs.services import sms_delivery, sms_webhooks
from repairjobs.services.outbox.base import RetryLater, TaskKind

# A worker waits at most this long for its turn to send.
MAX_SLOT_WAIT = timedelta(seconds=5)


class SmsTask(TaskKind):
    """Sends SMS, at most ``SMS_PER_SECOND`` over all workers."""

    name = OutboxKind.SMS

    def handle(self, task: OutboxTask) -> None:
        wait = SmsSendSlot.objects.reserve(per_second=settings.SMS_PER_SECOND)
        if wait > MAX_SLOT_WAIT:
            OutboxTask.objects.claimed_by(task).postpone(wait, attempts=task.attempts - 1)
            return
        time.sleep(wait.total_seconds())
        # Committed before the request is sent: a crash from here on cannot send the SMS twice.
        attempt = sms_delivery.begin_attempt(task, at=self.clock())
        if attempt is None:
            return
        try:
            message_uuid = sms_provider().send(
                to=attempt.recipient, text=attempt.text, reference=str(attempt.reference)
            )
        except SmsRefused as error:
            sms_delivery.record_refused(attempt, reason=str(error), at=self.clock())
        except SmsUnknown as error:
            sms_delivery.record_unknown(attempt, reason=str(error), at=self.clock())
        except SmsNotSent as error:
            if sms_delivery.record_not_sent(attempt, at=self.clock()):
                raise RetryLater(str(error), pause=error.retry_after) from error
        else:
            sms_delivery.record_accepted(attempt, message_uuid=message_uuid, at=self.clock())
            sms_webhooks.apply_early_receipts(attempt, message_uuid=message_uuid, at=self.clock())
