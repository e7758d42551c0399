"""Job documents in MongoDB."""

import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import pymongo
from bson.errors import BSONError
from pymongo.collection import Collection as MongoCollection
from pymongo.errors import DuplicateKeyError, PyMongoError

from repairjobs.integrations.documents.base import (
    Document,
    DocumentStore,
    DocumentsUnavailable,
    by_job_id,
    to_json,
)

# Milliseconds, for one call with all its retries.
CALL_TIMEOUT = 5_000
# Our own fields of a stored document. Queries leave them out.
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


def _replace_lock() -> None:
    global _lock
    _lock = threading.Lock()


# A child process may be forked while another thread of its parent holds the lock.
os.register_at_fork(after_in_child=_replace_lock)


def _collection(url: str) -> MongoCollection[Document]:
    """Return the collection of this process; a client inherited by a fork would hang."""
    key = (os.getpid(), url)
    with _lock:
        if key not in _collections:
            _collections[key] = _connect(url)
    if key not in _indexed:
        _collections[key].create_indexes(INDEXES)
        _indexed.add(key)
    return _collections[key]


def _connect(url: str) -> MongoCollection[Document]:
    client: pymongo.MongoClient[Document] = pymongo.MongoClient(
        url,
        timeoutMS=CALL_TIMEOUT,
        w="majority",
        appname="repairjobs",
    )
    return client.get_default_database(default="repairjobs")["jobs"]


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        code = getattr(error, "code", None)
        reason = type(error).__name__ + (f" {code}" if code else "")
        raise DocumentsUnavailable(f"MongoDB: {reason}") from error


class MongoDocumentStore(DocumentStore):
    def __init__(self, url: str) -> None:
        self.url = url

    def put(self, document: Document, *, version: int) -> None:
        to_json(document)
        older = {"job_id": document["job_id"], "_version": {"$lt": version}}
        stored = document | {
            "_version": version,
            "_has_attention": bool(document.get("attention")),
        }
        with _translated_errors():
            jobs = _collection(self.url)
            try:
                jobs.replace_one(older, stored, upsert=True)
            except BSONError:
                # Not chained: its text contains the document, and so a customer's name.
                raise ValueError("MongoDB cannot hold this document") from None
            except DuplicateKeyError:
                # Another writer inserted the job's document meanwhile, perhaps an older version.
                jobs.replace_one(older, stored)

    def get_many(self, job_ids: Collection[str]) -> dict[str, Document]:
        condition = {"job_id": {"$in": list(job_ids)}}
        with _translated_errors():
            return by_job_id(_collection(self.url).find(condition, INTERNAL))

    def find(
        self, *, status: str | None, attention: bool | None, after: str | None, limit: int
    ) -> list[Document]:
        condition: Document = {}
        if status is not None:
            condition["job_status"] = status
        if attention is not None:
            condition["_has_attention"] = attention
        # Name the index, because MongoDB might otherwise scan all jobs.
        index = [(name, 1) for name in [*condition, "job_id"]]
        if after is not None:
            condition["job_id"] = {"$gt": after}
        with _translated_errors():
            documents = _collection(self.url).find(condition, INTERNAL)
            return list(documents.sort("job_id").limit(limit).hint(index))

    def count_attention(self, *, limit: int) -> int:
        with _translated_errors():
            return _collection(self.url).count_documents({"_has_attention": True}, limit=limit)

    def ping(self) -> None:
        with _translated_errors():
            _collection(self.url).database.client.admin.command("ping")
