import pytest

from repairjobs import documents, sms
from repairjobs.documents import MongoDocuments, SqlDocuments
from tests.repairjobs.desk import Phone
from tests.repairjobs.fake_vonage import vonage
from tests.repairjobs.mongod import mongo_server_url, mongo_url

__all__ = ["mongo_server_url", "mongo_url", "vonage"]


@pytest.fixture
def sql_documents(transactional_db):
    return SqlDocuments()


@pytest.fixture
def mongo_documents(mongo_url):
    documents._collection(mongo_url).delete_many({})
    return MongoDocuments(mongo_url)


@pytest.fixture
def phone(monkeypatch):
    phone = Phone()
    monkeypatch.setattr(sms, "send", phone.send)
    return phone
