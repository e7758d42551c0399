"""The database of job documents: MongoDB, or a table of our own."""

from django.conf import settings

from repairjobs.integrations.documents.base import DocumentStore


def document_store() -> DocumentStore:
    """Return the document database that the settings name."""
    if settings.MONGO_URL:
        # Imported only if used: pymongo slows the start of a process.
        from repairjobs.integrations.documents.mongodb import MongoDocumentStore

        return MongoDocumentStore(settings.MONGO_URL)
    from repairjobs.integrations.documents.sql import SqlDocumentStore

    return SqlDocumentStore()
