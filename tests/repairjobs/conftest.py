import pytest

from repairjobs.integrations import sms
from repairjobs.integrations.documents import mongodb
from repairjobs.integrations.documents.mongodb import MongoDocumentStore
from repairjobs.integrations.documents.sql import SqlDocumentStore
from tests.support.repairjobs.fake_vonage import vonage
from tests.support.repairjobs.mongod import mongo_server_url, mongo_url
from tests.support.repairjobs.workflow_driver import Phone

__all__ = ["mongo_server_url", "mongo_url", "vonage"]


@pytest.fixture
def sql_documents(transactional_db):
    return SqlDocumentStore()


@pytest.fixture
def mongo_documents(mongo_url):
    mongodb._collection(mongo_url).delete_many({})
    return MongoDocumentStore(mongo_url)


@pytest.fixture
def phone(monkeypatch, settings):
    """An SMS provider of the tests, used instead of the console."""
    phone = Phone()
    monkeypatch.setitem(sms.PROVIDERS, "phone", lambda: phone)
    settings.SMS_BACKEND = "phone"
    return phone
