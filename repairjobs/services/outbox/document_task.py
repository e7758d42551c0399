from collections.abc import Mapping, Sequence
from uuid import UUID

from common.db.transactions import atomic_with_retry
from repairjobs.integrations.documents import document_store
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.models import Job, OutboxKind, OutboxTask
from repairjobs.services.document import build_document
from repairjobs.services.outbox.base import Clock, TaskKind


class DocumentTask(TaskKind):
    """Writes jobs' documents, with one query for all jobs of a batch."""

    name = OutboxKind.DOCUMENT
    batch_size = 100
    outages = (DocumentsUnavailable,)
    dead_letter_is_flagged = False  # writing the flag would need the same document

    def __init__(self, tasks: Sequence[OutboxTask], clock: Clock) -> None:
        super().__init__(tasks, clock)
        self.jobs = Job.objects.with_details().in_bulk([task.job_id for task in tasks])
        self.written: dict[int, int] = {}  # versions by job

    def handle(self, task: OutboxTask) -> None:
        job = self.jobs[task.job_id]
        document_store().put(build_document(job), version=job.version)
        self.written[job.pk] = job.version

    def finish(self) -> None:
        record_documents_written(self.tasks[0].claim, self.written)


@atomic_with_retry(using="repairjobs")
def record_documents_written(claim: UUID | None, versions: Mapping[int, int]) -> None:
    """Delete the tasks of stored documents. If a job has changed meanwhile, retry its task."""
    jobs = Job.objects.locked_batch(versions)
    current = [job.pk for job in jobs if job.version == versions[job.pk]]
    tasks = OutboxTask.objects.of_jobs(OutboxKind.DOCUMENT, versions, claim=claim)
    tasks.filter(job__in=current).delete()
    tasks.retry()
