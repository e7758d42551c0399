import pytest
from django.db import OperationalError, connections

from common.db.transactions import atomic_with_retry
from repairjobs.models import OptOut
from tests.support.repairjobs.factories import NOON

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"], transaction=True)


@atomic_with_retry(using="repairjobs")
def create_opt_out(number):
    OptOut.objects.create(number=number, since=NOON)


@pytest.fixture
def connection():
    connection = connections["repairjobs"]
    connection.ensure_connection()
    return connection


def lose(connection):
    driver_connection = connection.connection
    # PyMySQL has a method of its own to close a broken connection.
    getattr(driver_connection, "_force_close", driver_connection.close)()
    raise OperationalError(2013, "Lost connection to MySQL server during query")


class TestLostConnection:
    def test_the_next_transaction_commits_after_a_connection_lost_behind_a_commit(
        self, connection, monkeypatch
    ):
        original = connection._set_autocommit

        def lose_after_commit(autocommit):
            if autocommit:
                monkeypatch.setattr(connection, "_set_autocommit", original)
                lose(connection)
            original(autocommit)

        monkeypatch.setattr(connection, "_set_autocommit", lose_after_commit)

        with pytest.raises(OperationalError):
            create_opt_out("+447700900001")
        create_opt_out("+447700900002")

        assert not connection.in_atomic_block
        connection.close()
        assert OptOut.objects.count() == 2

    def test_the_next_transaction_commits_after_a_connection_lost_before_a_commit(
        self, connection, monkeypatch
    ):
        with monkeypatch.context() as patch:
            patch.setattr(connection, "_commit", lambda: lose(connection))
            with pytest.raises(OperationalError):
                create_opt_out("+447700900001")
        create_opt_out("+447700900002")

        assert [opt_out.number for opt_out in OptOut.objects.all()] == ["+447700900002"]
