"""The interface of the document databases, and a check that they can all store a document."""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from typing import Any

Document = dict[str, Any]

INT64 = range(-(2**63), 2**63)


class DocumentsUnavailable(Exception):
    """The document database is unavailable. A failed write may have been stored. Repeat it."""


class DocumentStore(ABC):
    """One document per job, by its ``job_id``. Every method may raise DocumentsUnavailable."""

    @abstractmethod
    def put(self, document: Document, *, version: int) -> None:
        """Store the document, unless this version of the job or a newer one is stored.

        :raises ValueError: if the document is not a JSON object that every database can hold.
        """

    def get(self, job_id: str) -> Document | None:
        """Return the job's document exactly as it was stored."""
        return self.get_many([job_id]).get(job_id)

    @abstractmethod
    def get_many(self, job_ids: Collection[str]) -> dict[str, Document]:
        """Return the documents of these jobs by ``job_id``. Jobs without one are left out."""

    @abstractmethod
    def find(
        self, *, status: str | None, attention: bool | None, after: str | None, limit: int
    ) -> list[Document]:
        """Return the first documents after the job id ``after``, by ``job_id`` as text."""

    @abstractmethod
    def count_attention(self, *, limit: int) -> int:
        """Count the documents that need a person's attention, up to a limit."""

    @abstractmethod
    def ping(self) -> None:
        """Check that the database responds."""


def to_json(document: Document) -> str:
    """Return the document as JSON text.

    :raises ValueError: if JSON or MongoDB cannot represent the document.
    """
    if not isinstance(document.get("job_id"), str):
        raise ValueError("a document needs the job_id of its job, as text")
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    text.encode()  # raises for a lone surrogate
    if json.loads(text, parse_int=_parse_int64) != document:
        raise ValueError("a document must be plain JSON: text keys, lists, no tuples")
    return text


def by_job_id(documents: Iterable[Document]) -> dict[str, Document]:
    return {document["job_id"]: document for document in documents}


def _parse_int64(digits: str) -> int:
    if (number := int(digits)) not in INT64:
        raise ValueError("the integers of a document must fit in 64 bits")
    return number
