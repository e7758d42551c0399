"""The kinds of outbox tasks."""

from collections.abc import Sequence

from repairjobs.services.outbox.base import TaskKind
from repairjobs.services.outbox.document_task import DocumentTask
from repairjobs.services.outbox.sms_task import SmsTask
from repairjobs.services.outbox.status_task import StatusTask

TASK_KINDS: Sequence[type[TaskKind]] = (DocumentTask, SmsTask, StatusTask)
