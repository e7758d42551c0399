import pytest

from repairjobs.integrations.documents import mongodb
from repairjobs.integrations.documents.mongodb import MongoDocumentStore
from repairjobs.integrations.documents.sql import SqlDocumentStore
from repairjobs.models import Job
from tests.processes import free_port
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import ClientJobFactory
from tests.support.repairjobs.fake_vonage import vonage, vonage_server
from tests.support.repairjobs.mongod import mongo_server_url, mongo_url

__all__ = ["mongo_server_url", "mongo_url", "vonage", "vonage_server"]


@pytest.fixture
def live(vonage):
    """An app whose first import is complete."""
    driver.go_live()


@pytest.fixture
def job(live):
    """A job that was imported; none of its outbox tasks has been run."""
    ClientJobFactory(job_id=1)
    driver.import_jobs()
    return Job.objects.get()


@pytest.fixture
def sql_documents(transactional_db):
    return SqlDocumentStore()


@pytest.fixture
def mongo_documents(mongo_url):
    mongodb._collection(mongo_url).delete_many({})
    return MongoDocumentStore(mongo_url)


@pytest.fixture(scope="session")
def closed_port():
    return free_port()


@pytest.fixture
def closed_mongo_url(closed_port, monkeypatch):
    """The URL of a MongoDB that refuses connections."""
    monkeypatch.setattr(mongodb, "CALL_TIMEOUT", 100)
    return f"mongodb://127.0.0.1:{closed_port}/jobs"
