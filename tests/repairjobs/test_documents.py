"""One contract, held by every store of documents."""

import itertools
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pymongo
import pytest
from django.db import OperationalError, connections
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pymongo.collection import Collection

from repairjobs.integrations.documents import document_store
from repairjobs.integrations.documents import mongodb as module
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.integrations.documents.mongodb import MongoDocumentStore
from repairjobs.integrations.documents.sql import SqlDocumentStore
from tests.processes import free_port
from tests.support.repairjobs.mongod import NoMongod, running_mongod

pytestmark = pytest.mark.django_db(transaction=True, databases=["repairjobs"])

ids = itertools.count(1)


def document(job_id="00123", *, status="OPENED", **other):
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
    } | other


@pytest.fixture(params=["sql", "mongo"])
def store(request):
    return request.getfixturevalue(f"{request.param}_documents")


@pytest.fixture(params=["sql", "mongo"])
def store_away(request, monkeypatch, db):
    """A store that nobody answers for."""
    if request.param == "mongo":
        monkeypatch.setattr(module, "CALL_TIMEOUT", 100)
        yield MongoDocumentStore(f"mongodb://127.0.0.1:{free_port()}/away")
        return

    def fail(*args):
        raise OperationalError("gone away")

    with connections["repairjobs"].execute_wrapper(fail):
        yield SqlDocumentStore()


@pytest.fixture
def rival_first(store, monkeypatch):
    """Someone else puts the job's first document, in the middle of our putting it."""

    def arrange_sql(rival, version):
        def in_between(execute, *statement):
            done = execute(*statement)
            wrappers.pop().__exit__(None, None, None)
            store.put(rival, version=version)
            return done

        wrappers = [connections["repairjobs"].execute_wrapper(in_between)]
        wrappers[0].__enter__()

    def arrange_mongo(rival, version):
        def in_between(*arguments, **options):
            monkeypatch.undo()
            store.put(rival, version=version)
            raise pymongo.errors.DuplicateKeyError("as the server says when two insert at once")

        monkeypatch.setattr(Collection, "replace_one", in_between)

    return arrange_sql if isinstance(store, SqlDocumentStore) else arrange_mongo


class TestPut:
    def test_stores_the_document_as_it_is(self, store):
        put = document(attention=["look"], nested={"a": [1, 2.5, True, None, {"b": "\x00 é"}]})

        store.put(put, version=1)

        assert store.get("00123") == put
        assert list(store.get("00123")) == list(put)

    def test_leaves_the_callers_document_alone(self, store):
        put = document()

        store.put(put, version=1)

        assert put == document()

    def test_replaces_an_older_version_whole(self, store):
        store.put(document(note="first"), version=1)

        store.put(document(status="CLOSED"), version=2)

        assert store.get("00123") == document(status="CLOSED")

    @pytest.mark.parametrize("version", [-1, 4, 5])
    def test_leaves_alone_what_is_as_new_or_newer(self, store, version):
        store.put(document(status="CLOSED"), version=5)

        store.put(document(status="OPENED"), version=version)

        assert store.get("00123") == document(status="CLOSED")

    def test_keeps_jobs_apart(self, store):
        store.put(document("00001"), version=9)
        store.put(document("00002"), version=1)

        assert store.get("00001") == document("00001")
        assert store.get("00002") == document("00002")

    @hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(versions=st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=8))
    def test_in_any_order_ends_with_the_newest(self, store, versions):
        job_id = f"order-{next(ids)}"

        for version in versions:
            store.put(document(job_id, version_put=version), version=version)

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
    def test_holds_any_json(self, store, content):
        job_id = f"content-{next(ids)}"

        store.put(document(job_id, content=content), version=1)

        assert store.get(job_id)["content"] == content

    @pytest.mark.parametrize(
        "wrong",
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
    )
    def test_refuses_what_not_every_store_can_hold(self, store, wrong):
        with pytest.raises((ValueError, TypeError)):
            store.put(document() | wrong, version=1)

        assert store.find(status=None, attention=None, after=None, limit=10) == []

    def test_by_many_threads_ends_with_the_newest(self, store):
        """Most of all when none of them finds the job there yet."""
        rounds, start = 20, threading.Barrier(8)

        def put(version):
            try:
                for round in range(rounds):
                    start.wait(30)
                    job_id = f"thread-{round}"
                    store.put(document(job_id, version_put=version), version=version)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, range(1, 9)))

        found = store.find(status=None, attention=None, after=None, limit=100)
        assert [each["version_put"] for each in found] == [8] * rounds

    @pytest.mark.parametrize(("rival", "expected"), [(1, 2), (3, 3)])
    def test_meets_a_rival_who_was_quicker(self, store, rival_first, rival, expected):
        rival_first(document(version_put=rival), rival)

        store.put(document(version_put=2), version=2)

        assert store.get("00123")["version_put"] == expected


class TestGet:
    def test_of_an_unknown_job_is_nothing(self, store):
        store.put(document("00123"), version=1)

        assert store.get("123") is None
        assert store.get("") is None

    def test_tells_ids_apart_to_the_letter(self, store):
        for job_id in ["job-é", "job-e", "job-E"]:
            store.put(document(job_id), version=1)

        assert store.get("job-E") == document("job-E")
        assert store.get("job-é") == document("job-é")
        assert store.get("JOB-é") is None


class TestGetMany:
    def test_answers_by_id_those_that_there_are(self, store):
        for job_id in ["00001", "00002", "00003"]:
            store.put(document(job_id, note=job_id), version=1)

        found = store.get_many(["00003", "00001", "00004", "00001"])

        assert found == {id: document(id, note=id) for id in ["00001", "00003"]}

    def test_of_none_is_nothing(self, store):
        store.put(document(), version=1)

        assert store.get_many([]) == {}


class TestFind:
    @pytest.fixture(autouse=True)
    def _some(self, store):
        for job_id, status, attention in [
            ("00003", "OPENED", ["bad number"]),
            ("00001", "OPENED", []),
            ("00005", "CLOSED", ["deleted"]),
            ("00002", "CLOSED", []),
            ("00004", "OPENED", []),
            ("100000", "OPENED", []),
        ]:
            store.put(document(job_id, status=status, attention=attention), version=1)

    @pytest.mark.parametrize(
        ("asked", "expected"),
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
    )
    def test_answers_by_job_id(self, store, asked, expected):
        asked = {"status": None, "attention": None, "after": None, "limit": 100} | asked

        found = store.find(**asked)

        assert [each["job_id"] for each in found] == expected
        assert all(set(each) == set(document()) for each in found)

    def test_tells_statuses_apart_to_the_letter(self, store):
        store.put(document("00006", status="ÖPENED"), version=1)

        found = store.find(status="ÖPENED", attention=None, after=None, limit=100)

        assert [each["job_id"] for each in found] == ["00006"]

    def test_follows_what_changes(self, store):
        store.put(document("00003", status="CLOSED", attention=[]), version=2)

        asked = {"after": None, "limit": 100}
        assert len(store.find(status="CLOSED", attention=None, **asked)) == 3
        assert len(store.find(status=None, attention=True, **asked)) == 1

    @pytest.mark.parametrize(("most", "count"), [(10, 2), (2, 2), (1, 1)])
    def test_counts_what_needs_attention(self, store, most, count):
        for job_id, attention in [("00001", ["look"]), ("00002", []), ("00003", ["look", "here"])]:
            store.put(document(job_id, attention=attention), version=1)

        assert store.count_attention(limit=most) == count


class TestAStoreThatIsAway:
    @pytest.mark.parametrize(
        "call",
        [
            lambda store: store.put(document(), version=1),
            lambda store: store.get("00123"),
            lambda store: store.get_many(["00123"]),
            lambda store: store.find(status=None, attention=None, after=None, limit=1),
            lambda store: store.count_attention(limit=1),
            lambda store: store.ping(),
        ],
        ids=["put", "get", "get_many", "find", "count_attention", "ping"],
    )
    def test_says_so(self, store_away, call):
        with pytest.raises(DocumentsUnavailable):
            call(store_away)


class TestPing:
    def test_of_a_store_that_answers_does_nothing(self, store):
        store.ping()


class TestDocuments:
    def test_are_in_the_store_that_is_set(self, settings):
        settings.MONGO_URL = ""
        assert isinstance(document_store(), SqlDocumentStore)
        settings.MONGO_URL = "mongodb://127.0.0.1/jobs"
        assert isinstance(document_store(), MongoDocumentStore)

    def test_of_a_url_that_is_none_are_unavailable(self, settings):
        settings.MONGO_URL = "mongodb:/nowhere"

        with pytest.raises(DocumentsUnavailable):
            document_store().ping()


@pytest.mark.engine_independent
class TestMongo:
    def test_keeps_one_document_a_job_by_itself(self, mongo_documents, mongo_url):
        mongo_documents.put(document(), version=1)

        with pymongo.MongoClient(mongo_url) as client:
            jobs = client.get_default_database()["jobs"]
            with pytest.raises(pymongo.errors.DuplicateKeyError):
                jobs.insert_one({"job_id": "00123"})

    @pytest.mark.parametrize("asked", [{}, {"attention": False}])
    def test_reads_no_more_than_it_finds(self, mongo_documents, mongo_url, asked):
        for number in range(250):
            status = "CLOSED" if number < 200 else "NEW"
            mongo_documents.put(document(f"{number:05}", status=status), version=1)
        asked = {"status": "CLOSED", "attention": None, "after": "00090", "limit": 110} | asked

        with pymongo.MongoClient(mongo_url) as client:
            database = client.get_default_database()
            database.command("profile", 2)
            found = mongo_documents.find(**asked)
            database.command("profile", 0)
            batches = list(database["system.profile"].find({"op": {"$in": ["query", "getmore"]}}))
            database.drop_collection("system.profile")

        assert len(found) == 109
        assert sum(batch["keysExamined"] for batch in batches) == 109

    def test_serves_a_forked_process_by_a_client_of_its_own(self, mongo_documents, mongo_url):
        mongo_documents.put(document(), version=1)
        parents = module._collection(mongo_url)

        def read():
            is_read = mongo_documents.get("00123") == document()
            raise SystemExit(not is_read or module._collection(mongo_url) is parents)

        child = multiprocessing.get_context("fork").Process(target=read)
        with module._lock:  # as another thread may hold it
            child.start()
        child.join(30)
        child.kill()

        assert child.exitcode == 0

    def test_has_one_client_for_all_threads(self, mongo_url):
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: module._collection(mongo_url), range(50)))

        assert len({id(each) for each in found}) == 1

    @pytest.mark.processes
    def test_gets_over_a_frozen_a_killed_and_a_restarted_server(self, mongo_url):
        try:
            with running_mongod() as server:
                store = MongoDocumentStore(server.url)
                store.put(document(status="OPENED"), version=1)

                server.process.send_signal(signal.SIGSTOP)
                # Its threads stop one by one: until the last has, it may answer.
                os.waitpid(server.process.pid, os.WUNTRACED)
                with pytest.raises(DocumentsUnavailable):
                    store.put(document(status="CLOSED"), version=2)
                server.process.send_signal(signal.SIGCONT)
                server.kill()
                with pytest.raises(DocumentsUnavailable):
                    store.get("00123")
                server.start()

                store.put(document(status="CLOSED"), version=2)
                assert store.get("00123") == document(status="CLOSED")
        except NoMongod as error:
            pytest.skip(f"MONGO_URL alone was tested: {error}")
