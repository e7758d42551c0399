"""One contract for all document databases."""

import itertools
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pymongo
import pytest
from django.db import connections
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymongo.collection import Collection

from repairjobs.integrations.documents import document_store, mongodb
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.integrations.documents.mongodb import MongoDocumentStore
from repairjobs.integrations.documents.sql import SqlDocumentStore
from tests.support.ids import readable
from tests.support.repairjobs.mongod import NoMongod, running_mongod
from tests.support.repairjobs.statements import unavailable

pytestmark = pytest.mark.django_db(transaction=True, databases=["repairjobs"])

numbers = itertools.count(1)


def make_document(job_id="00123", *, status="OPENED", **fields):
    return {
        "job_id": job_id,
        "job_date": "2021-01-01",
        "job_type": "repair",
        "job_status": status,
        "customer": [
            {
                "client_firstname": "Zoë",
                "client_lastname": None,
                "client_postcode": "N1 1AA",
                "client_mobile": "07700 900456",
            }
        ],
        "product": [{"product_id": "7", "product_type": "phone 📱"}],
        "attention": [],
    } | fields


@pytest.fixture(params=["sql", "mongo"])
def store(request):
    return request.getfixturevalue(f"{request.param}_documents")


@pytest.fixture(params=["sql", "mongo"])
def unavailable_store(request, closed_mongo_url, db):
    if request.param == "mongo":
        yield MongoDocumentStore(closed_mongo_url)
    else:
        with unavailable("repairjobs"):
            yield SqlDocumentStore()


@pytest.fixture
def put_by_rival(store, monkeypatch):
    """Let another writer put the job's first document in the middle of our ``put``."""

    def arrange_sql(document, version):
        def put_after_statement(execute, *statement):
            result = execute(*statement)
            wrappers.pop().__exit__(None, None, None)
            store.put(document, version=version)
            return result

        wrappers = [connections["repairjobs"].execute_wrapper(put_after_statement)]
        wrappers[0].__enter__()

    def arrange_mongo(document, version):
        def fail_after_put(*arguments, **options):
            monkeypatch.undo()
            store.put(document, version=version)
            raise pymongo.errors.DuplicateKeyError("as the server says when two insert at once")

        monkeypatch.setattr(Collection, "replace_one", fail_after_put)

    return arrange_sql if isinstance(store, SqlDocumentStore) else arrange_mongo


class TestPut:
    def test_a_document_is_stored_exactly_as_it_is(self, store):
        document = make_document(
            attention=["look"], nested={"a": [1, 2.5, True, None, {"b": "\x00 é"}]}
        )

        store.put(document, version=1)

        assert store.get("00123") == document
        assert list(store.get("00123")) == list(document)

    def test_the_callers_document_is_not_changed(self, store):
        document = make_document()

        store.put(document, version=1)

        assert document == make_document()

    def test_a_newer_version_replaces_the_whole_document(self, store):
        store.put(make_document(note="first"), version=1)

        store.put(make_document(status="CLOSED"), version=2)

        assert store.get("00123") == make_document(status="CLOSED")

    @pytest.mark.parametrize("version", [-1, 4, 5])
    def test_the_same_or_an_older_version_changes_nothing(self, store, version):
        store.put(make_document(status="CLOSED"), version=5)

        store.put(make_document(status="OPENED"), version=version)

        assert store.get("00123") == make_document(status="CLOSED")

    def test_documents_of_different_jobs_are_independent(self, store):
        store.put(make_document("00001"), version=9)
        store.put(make_document("00002"), version=1)

        assert store.get("00001") == make_document("00001")
        assert store.get("00002") == make_document("00002")

    @hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(versions=st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=8))
    def test_the_newest_version_wins_in_any_order(self, store, versions):
        job_id = f"order-{next(numbers)}"

        for version in versions:
            store.put(make_document(job_id, version_put=version), version=version)

        assert store.get(job_id)["version_put"] == max(versions)

    @hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        content=st.recursive(
            st.none()
            | st.booleans()
            | st.integers(-(2**63), 2**63 - 1)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(st.characters(exclude_categories=["Cs"])),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.text("abcdefghij_", max_size=5), inner, max_size=4)
            ),
        )
    )
    def test_every_json_value_can_be_stored(self, store, content):
        job_id = f"content-{next(numbers)}"

        store.put(make_document(job_id, content=content), version=1)

        assert store.get(job_id)["content"] == content

    @pytest.mark.parametrize(
        "invalid_fields",
        [
            {"job_id": None},
            {"job_id": 123},
            {"note": object()},
            {"note": (1, 2)},
            {"note": {1: "a"}},
            {"note": float("nan")},
            {"note": 2**63},
            {"note": "\ud800"},
            {"note": b"bytes"},
        ],
        ids=readable,
    )
    def test_a_document_that_not_every_database_can_hold_is_refused(self, store, invalid_fields):
        with pytest.raises((ValueError, TypeError)):
            store.put(make_document() | invalid_fields, version=1)

        assert store.find(status=None, attention=None, after=None, limit=10) == []

    def test_the_newest_version_wins_among_several_threads(self, store):
        # Most races happen while the job has no document yet.
        rounds, barrier = 20, threading.Barrier(8)

        def put(version):
            try:
                for number in range(rounds):
                    barrier.wait(30)
                    job_id = f"thread-{number}"
                    store.put(make_document(job_id, version_put=version), version=version)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, range(1, 9)))

        documents = store.find(status=None, attention=None, after=None, limit=100)
        assert [document["version_put"] for document in documents] == [8] * rounds

    @pytest.mark.parametrize(
        ("rival_version", "final_version"), [(1, 2), (3, 3)], ids=["older", "newer"]
    )
    def test_the_newest_version_wins_if_another_writer_is_faster(
        self, store, put_by_rival, rival_version, final_version
    ):
        put_by_rival(make_document(version_put=rival_version), rival_version)

        store.put(make_document(version_put=2), version=2)

        assert store.get("00123")["version_put"] == final_version


class TestGet:
    def test_an_unknown_job_has_no_document(self, store):
        store.put(make_document("00123"), version=1)

        assert store.get("123") is None
        assert store.get("") is None

    def test_ids_are_compared_exactly(self, store):
        for job_id in ["job-é", "job-e", "job-E"]:
            store.put(make_document(job_id), version=1)

        assert store.get("job-E") == make_document("job-E")
        assert store.get("job-é") == make_document("job-é")
        assert store.get("JOB-é") is None


class TestGetMany:
    def test_existing_documents_are_returned_by_id(self, store):
        for job_id in ["00001", "00002", "00003"]:
            store.put(make_document(job_id, note=job_id), version=1)

        documents = store.get_many(["00003", "00001", "00004", "00001"])

        assert documents == {
            job_id: make_document(job_id, note=job_id) for job_id in ["00001", "00003"]
        }

    def test_no_ids_return_no_documents(self, store):
        store.put(make_document(), version=1)

        assert store.get_many([]) == {}


class TestFind:
    @pytest.fixture(autouse=True)
    def _documents(self, store):
        for job_id, status, attention in [
            ("00003", "OPENED", ["bad number"]),
            ("00001", "OPENED", []),
            ("00005", "CLOSED", ["deleted"]),
            ("00002", "CLOSED", []),
            ("00004", "OPENED", []),
            ("100000", "OPENED", []),
        ]:
            store.put(make_document(job_id, status=status, attention=attention), version=1)

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ({}, ["00001", "00002", "00003", "00004", "00005", "100000"]),
            ({"limit": 2}, ["00001", "00002"]),
            ({"after": "00002", "limit": 2}, ["00003", "00004"]),
            ({"after": "000025"}, ["00003", "00004", "00005", "100000"]),
            ({"after": "999"}, []),
            ({"status": "OPENED"}, ["00001", "00003", "00004", "100000"]),
            ({"status": "CLOSED", "after": "00002"}, ["00005"]),
            ({"status": "NEW"}, []),
            ({"attention": True}, ["00003", "00005"]),
            ({"attention": False}, ["00001", "00002", "00004", "100000"]),
            ({"attention": True, "status": "OPENED"}, ["00003"]),
        ],
        ids=readable,
    )
    def test_matching_documents_are_returned_ordered_by_job_id(self, store, query, ids):
        query = {"status": None, "attention": None, "after": None, "limit": 100} | query

        documents = store.find(**query)

        assert [document["job_id"] for document in documents] == ids
        assert all(set(document) == set(make_document()) for document in documents)

    def test_statuses_are_compared_exactly(self, store):
        store.put(make_document("00006", status="ÖPENED"), version=1)

        documents = store.find(status="ÖPENED", attention=None, after=None, limit=100)

        assert [document["job_id"] for document in documents] == ["00006"]

    def test_a_changed_document_is_found_by_its_new_fields(self, store):
        store.put(make_document("00003", status="CLOSED", attention=[]), version=2)

        page = {"after": None, "limit": 100}
        assert len(store.find(status="CLOSED", attention=None, **page)) == 3
        assert len(store.find(status=None, attention=True, **page)) == 1

    @pytest.mark.parametrize(("limit", "count"), [(10, 2), (2, 2), (1, 1)])
    def test_documents_that_need_attention_are_counted_up_to_a_limit(self, store, limit, count):
        for job_id, attention in [("00001", ["look"]), ("00002", []), ("00003", ["look", "here"])]:
            store.put(make_document(job_id, attention=attention), version=1)

        assert store.count_attention(limit=limit) == count


class TestUnavailableDatabase:
    @pytest.mark.parametrize(
        "call",
        [
            lambda store: store.put(make_document(), version=1),
            lambda store: store.get("00123"),
            lambda store: store.get_many(["00123"]),
            lambda store: store.find(status=None, attention=None, after=None, limit=1),
            lambda store: store.count_attention(limit=1),
            lambda store: store.ping(),
        ],
        ids=["put", "get", "get_many", "find", "count_attention", "ping"],
    )
    def test_every_call_raises_documents_unavailable(self, unavailable_store, call):
        with pytest.raises(DocumentsUnavailable):
            call(unavailable_store)


def test_ping_of_an_available_database_raises_nothing(store):
    store.ping()


class TestDocumentStore:
    def test_the_settings_choose_the_database(self, settings):
        settings.MONGO_URL = ""
        assert isinstance(document_store(), SqlDocumentStore)
        settings.MONGO_URL = "mongodb://127.0.0.1/jobs"
        assert isinstance(document_store(), MongoDocumentStore)

    def test_documents_are_unavailable_if_the_url_is_malformed(self, settings):
        settings.MONGO_URL = "mongodb:/nowhere"

        with pytest.raises(DocumentsUnavailable):
            document_store().ping()


@pytest.mark.engine_independent
class TestMongoDB:
    def test_a_unique_index_allows_one_document_per_job(self, mongo_documents, mongo_url):
        mongo_documents.put(make_document(), version=1)

        with pymongo.MongoClient(mongo_url) as client:
            jobs = client.get_default_database()["jobs"]
            with pytest.raises(pymongo.errors.DuplicateKeyError):
                jobs.insert_one({"job_id": "00123"})

    @pytest.mark.parametrize(
        "query", [{}, {"attention": False}], ids=["by status", "by status and attention"]
    )
    def test_a_query_examines_only_the_documents_that_it_returns(
        self, mongo_documents, mongo_url, query
    ):
        for number in range(250):
            status = "CLOSED" if number < 200 else "NEW"
            mongo_documents.put(make_document(f"{number:05}", status=status), version=1)
        query = {"status": "CLOSED", "attention": None, "after": "00090", "limit": 110} | query

        with pymongo.MongoClient(mongo_url) as client:
            database = client.get_default_database()
            database.command("profile", 2)
            documents = mongo_documents.find(**query)
            database.command("profile", 0)
            batches = list(database["system.profile"].find({"op": {"$in": ["query", "getmore"]}}))
            database.drop_collection("system.profile")

        assert len(documents) == 109
        assert sum(batch["keysExamined"] for batch in batches) == 109

    def test_a_forked_process_has_a_client_of_its_own(self, mongo_documents, mongo_url):
        mongo_documents.put(make_document(), version=1)
        collection_of_parent = mongodb._collection(mongo_url)

        def read():
            is_equal = mongo_documents.get("00123") == make_document()
            raise SystemExit(not is_equal or mongodb._collection(mongo_url) is collection_of_parent)

        child = multiprocessing.get_context("fork").Process(target=read)
        with mongodb._lock:  # another thread may hold it
            child.start()
        child.join(30)
        child.kill()

        assert child.exitcode == 0

    def test_all_threads_share_one_client(self, mongo_url):
        with ThreadPoolExecutor(8) as pool:
            collections = list(pool.map(lambda _: mongodb._collection(mongo_url), range(50)))

        assert len({id(collection) for collection in collections}) == 1

    @pytest.mark.processes
    @pytest.mark.full
    def test_the_store_recovers_from_a_frozen_a_killed_and_a_restarted_server(self, mongo_url):
        try:
            with running_mongod() as server:
                store = MongoDocumentStore(server.url)
                store.put(make_document(status="OPENED"), version=1)

                server.process.send_signal(signal.SIGSTOP)
                # Its threads stop one by one. The server may answer until the last one has stopped.
                os.waitpid(server.process.pid, os.WUNTRACED)
                with pytest.raises(DocumentsUnavailable):
                    store.put(make_document(status="CLOSED"), version=2)
                server.process.send_signal(signal.SIGCONT)
                server.kill()
                with pytest.raises(DocumentsUnavailable):
                    store.get("00123")
                server.start()

                store.put(make_document(status="CLOSED"), version=2)
                assert store.get("00123") == make_document(status="CLOSED")
        except NoMongod as error:
            pytest.skip(f"MONGO_URL alone was tested: {error}")
