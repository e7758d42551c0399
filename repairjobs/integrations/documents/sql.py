"""Job documents in a table of our own database."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.db import IntegrityError, InterfaceError, OperationalError

from common.db.transactions import atomic_with_retry
from repairjobs.integrations.documents.base import (
    Document,
    DocumentStore,
    DocumentsUnavailable,
    by_job_id,
    to_json,
)
from repairjobs.models import JobDocument
from repairjobs.models.documents import JobDocumentQuerySet


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise DocumentsUnavailable(f"the table of documents: {error}") from error


class SqlDocumentStore(DocumentStore):
    def put(self, document: Document, *, version: int) -> None:
        columns = {
            "status": document.get("job_status") or "",
            "has_attention": bool(document.get("attention")),
            "version": version,
            "content": to_json(document),
        }
        job_id = document["job_id"]
        older = JobDocument.objects.older_than(job_id, version)
        create = atomic_with_retry(using="repairjobs")(JobDocument.objects.create)
        with _translated_errors():
            if older.update(**columns):
                return
            try:
                create(job_id=job_id, **columns)
            except IntegrityError:
                # Another writer inserted the job's document meanwhile, perhaps an older version.
                older.update(**columns)

    def get_many(self, job_ids: Collection[str]) -> dict[str, Document]:
        with _translated_errors():
            return by_job_id(_read(JobDocument.objects.of_jobs(job_ids)))

    def find(
        self, *, status: str | None, attention: bool | None, after: str | None, limit: int
    ) -> list[Document]:
        rows = JobDocument.objects.matching(status=status, attention=attention, after=after)
        with _translated_errors():
            return _read(rows[:limit])

    def count_attention(self, *, limit: int) -> int:
        rows = JobDocument.objects.matching(status=None, attention=True, after=None)
        with _translated_errors():
            return rows[:limit].count()

    def ping(self) -> None:
        with _translated_errors():
            JobDocument.objects.exists()


def _read(rows: JobDocumentQuerySet) -> list[Document]:
    return [json.loads(content) for content in rows.values_list("content", flat=True)]
