"""The store of job documents: MongoDB, or a table beside the jobs where none is set."""

import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from bson.errors import BSONError
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError
from pymongo.collection import Collection as MongoCollection
from pymongo.errors import DuplicateKeyError, PyMongoError

from repairjobs.documents_table import JobDocument
from repairjobs.transactions import in_transaction

Document = dict[str, Any]

# Milliseconds, for one call with all its retries.
CALL_TIMEOUT = 5_000
INT64 = range(-(2**63), 2**63)


class DocumentsUnavailable(Exception):
    """The store is away, or failed; what was put may have been stored or not: put it again."""


class DocumentStore(ABC):
    """One document for each job, by its ``job_id``."""

    @abstractmethod
    def put(self, document: Document, *, version: int) -> None:
        """Store the document, unless this version of the job or a newer one is stored.

        :raises ValueError: if the document is no JSON object that every store can hold.
        :raises DocumentsUnavailable: if it may not have been stored.
        """

    def get(self, job_id: str) -> Document | None:
        """Return the job's document as it was put."""
        return self.get_many([job_id]).get(job_id)

    @abstractmethod
    def get_many(self, job_ids: Collection[str]) -> dict[str, Document]:
        """Return the documents of these jobs by ``job_id``, of those that have one."""

    @abstractmethod
    def find(
        self, *, status: str | None, attention: bool | None, after: str | None, limit: int
    ) -> list[Document]:
        """Return the first documents after that ``job_id``, ordered by it as text."""

    @abstractmethod
    def count_attention(self, *, most: int) -> int:
        """Return how many have something that a person must look at, counting to ``most``."""

    @abstractmethod
    def ping(self) -> None:
        """Do nothing, if the store answers.

        :raises DocumentsUnavailable: if it does not.
        """


def documents() -> DocumentStore:
    """Return the store that the settings name."""
    return MongoDocuments(settings.MONGO_URL) if settings.MONGO_URL else SqlDocuments()


def _as_json(document: Document) -> str:
    """Spell the document as JSON, if that says all of it and MongoDB can hold it too."""
    if not isinstance(document.get("job_id"), str):
        raise ValueError("a document needs the job_id of its job, as text")
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    text.encode()  # half of a surrogate pair is no text
    if json.loads(text, parse_int=_int64) != document:
        raise ValueError("a document must be plain JSON: text keys, lists, no tuples")
    return text


def _by_id(found: Iterable[Document]) -> dict[str, Document]:
    return {document["job_id"]: document for document in found}


def _int64(digits: str) -> int:
    if (number := int(digits)) not in INT64:
        raise ValueError("a document's integers must be of 64 bits")
    return number


# --- MongoDB -------------------------------------------------------------------------------------

# What is ours in a stored document; nobody gets to see it.
INTERNAL = {"_id": False, "_version": False, "_has_attention": False}

INDEXES = [
    pymongo.IndexModel("job_id", unique=True),
    pymongo.IndexModel([("job_status", 1), ("job_id", 1)]),
    pymongo.IndexModel([("_has_attention", 1), ("job_id", 1)]),
    pymongo.IndexModel([("job_status", 1), ("_has_attention", 1), ("job_id", 1)]),
]

_collections: dict[tuple[int, str], MongoCollection[Document]] = {}
_indexed: set[tuple[int, str]] = set()
_lock = threading.Lock()


def _forget_lock() -> None:
    global _lock
    _lock = threading.Lock()


# A child may be forked while another thread of its parent holds the lock.
os.register_at_fork(after_in_child=_forget_lock)


def _collection(url: str) -> MongoCollection[Document]:
    """The collection behind this process's own client: its parent's would hang."""
    place = (os.getpid(), url)
    with _lock:
        if place not in _collections:
            _collections[place] = _connected(url)
    if place not in _indexed:
        _collections[place].create_indexes(INDEXES)
        _indexed.add(place)
    return _collections[place]


def _connected(url: str) -> MongoCollection[Document]:
    client: pymongo.MongoClient[Document] = pymongo.MongoClient(
        url,
        timeoutMS=CALL_TIMEOUT,
        w="majority",
        appname="repairjobs",
    )
    return client.get_default_database(default="repairjobs")["jobs"]


@contextmanager
def _mongo_failures() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        code = getattr(error, "code", None)
        reason = type(error).__name__ + (f" {code}" if code else "")
        raise DocumentsUnavailable(f"MongoDB: {reason}") from error


class MongoDocuments(DocumentStore):
    def __init__(self, url: str) -> None:
        self.url = url

    def put(self, document: Document, *, version: int) -> None:
        _as_json(document)
        older = {"job_id": document["job_id"], "_version": {"$lt": version}}
        stored = document | {
            "_version": version,
            "_has_attention": bool(document.get("attention")),
        }
        with _mongo_failures():
            jobs = _collection(self.url)
            try:
                jobs.replace_one(older, stored, upsert=True)
            except BSONError:
                # Its text has the document in it, and so a customer's name and number.
                raise ValueError("MongoDB cannot hold this document") from None
            except DuplicateKeyError:
                # The job is there, perhaps since a moment ago and then perhaps older than ours.
                jobs.replace_one(older, stored)

    def get_many(self, job_ids: Collection[str]) -> dict[str, Document]:
        wanted = {"job_id": {"$in": list(job_ids)}}
        with _mongo_failures():
            return _by_id(_collection(self.url).find(wanted, INTERNAL))

    def find(
        self, *, status: str | None, attention: bool | None, after: str | None, limit: int
    ) -> list[Document]:
        wanted: Document = {}
        if status is not None:
            wanted["job_status"] = status
        if attention is not None:
            wanted["_has_attention"] = attention
        # Said, as MongoDB may guess that walking through all jobs is as quick.
        index = [(name, 1) for name in [*wanted, "job_id"]]
        if after is not None:
            wanted["job_id"] = {"$gt": after}
        with _mongo_failures():
            found = _collection(self.url).find(wanted, INTERNAL)
            return list(found.sort("job_id").limit(limit).hint(index))

    def count_attention(self, *, most: int) -> int:
        with _mongo_failures():
            return _collection(self.url).count_documents({"_has_attention": True}, limit=most)

    def ping(self) -> None:
        with _mongo_failures():
            _collection(self.url).database.client.admin.command("ping")


# --- SQL -----------------------------------------------------------------------------------------


@contextmanager
def _sql_failures() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise DocumentsUnavailable(f"the table of documents: {error}") from error


class SqlDocuments(DocumentStore):
    def put(self, document: Document, *, version: int) -> None:
        columns = {
            "status": document.get("job_status") or "",
            "has_attention": bool(document.get("attention")),
            "version": version,
            "content": _as_json(document),
        }
        job_id = document["job_id"]
        older = JobDocument.objects.filter(job_id=job_id, version__lt=version)
        with _sql_failures():
            if older.update(**columns):
                return
            try:
                in_transaction(JobDocument.objects.create)(job_id=job_id, **columns)
            except IntegrityError:
                # The job is there, perhaps since a moment ago and then perhaps older than ours.
                older.update(**columns)

    def get_many(self, job_ids: Collection[str]) -> dict[str, Document]:
        with _sql_failures():
            return _by_id(self._read(JobDocument.objects.filter(job_id__in=job_ids)))

    def find(
        self, *, status: str | None, attention: bool | None, after: str | None, limit: int
    ) -> list[Document]:
        rows = JobDocument.objects.order_by("job_id")
        if status is not None:
            rows = rows.filter(status=status)
        if attention is not None:
            rows = rows.filter(has_attention=attention)
        if after is not None:
            rows = rows.filter(job_id__gt=after)
        with _sql_failures():
            return self._read(rows[:limit])

    def count_attention(self, *, most: int) -> int:
        with _sql_failures():
            return JobDocument.objects.filter(has_attention=True)[:most].count()

    def ping(self) -> None:
        with _sql_failures():
            JobDocument.objects.exists()

    def _read(self, rows: Any) -> list[Document]:
        return [json.loads(content) for content in rows.values_list("content", flat=True)]
