import pytest
from django.db import OperationalError, connections

from common.db.transactions import atomic_with_retry
from repairjobs.models import OptOut
from tests.support.repairjobs.factories import NOON

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"], transaction=True)


@atomic_with_retry(using="repairjobs")
def opt_out(number):
    OptOut.objects.create(number=number, since=NOON)


@pytest.fixture
def connection():
    connection = connections["repairjobs"]
    connection.ensure_connection()
    return connection


def lose(connection):
    lost = connection.connection
    getattr(lost, "_force_close", lost.close)()  # PyMySQL's way to close what is broken
    raise OperationalError(2013, "Lost connection to MySQL server during query")


class TestALostConnection:
    def test_after_a_commit_leaves_the_next_transaction_whole(self, connection, monkeypatch):
        original = connection._set_autocommit

        def lost_after_the_commit(autocommit):
            if autocommit:
                monkeypatch.setattr(connection, "_set_autocommit", original)
                lose(connection)
            original(autocommit)

        monkeypatch.setattr(connection, "_set_autocommit", lost_after_the_commit)

        with pytest.raises(OperationalError):
            opt_out("+447700900001")
        opt_out("+447700900002")

        assert not connection.in_atomic_block
        connection.close()
        assert OptOut.objects.count() == 2

    def test_before_a_commit_leaves_the_next_transaction_whole(self, connection, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(connection, "_commit", lambda: lose(connection))
            with pytest.raises(OperationalError):
                opt_out("+447700900001")
        opt_out("+447700900002")

        assert [each.number for each in OptOut.objects.all()] == ["+447700900002"]
