from repairjobs.integrations import client_database
from repairjobs.integrations.client_database import ClientUnavailable
from repairjobs.models import OutboxKind, OutboxTask
from repairjobs.services import status_updates
from repairjobs.services.outbox.base import TaskKind


class StatusTask(TaskKind):
    """Writes statuses to the client."""

    name = OutboxKind.STATUS
    outages = (ClientUnavailable,)

    def handle(self, task: OutboxTask) -> None:
        row = client_database.fetch([task.job_id]).get(task.job_id)
        if not status_updates.mark_write_started(task, row, at=self.clock()):
            return
        assert row is not None
        if client_database.compare_and_set(task.job_id, expected=row.status, status=task.subject):
            status_updates.record_status_written(task, at=self.clock())
        else:
            status_updates.retry_after_conflict(task)
