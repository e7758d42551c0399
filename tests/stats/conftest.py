import json

import pytest
from django.conf import settings
from django.db import connection, connections
from werkzeug.test import Client

from config.wsgi import application
from stats.services.recording import writer


class WsgiClient:
    """Calls the WSGI application as a server does, the fast path included."""

    def __init__(self, headers):
        self.client = Client(application)
        self.headers = headers

    def post(self, path, content=None, **options):
        """Post content as JSON, or ``data`` as it is."""
        options = {"data": json.dumps(content), "content_type": "application/json"} | options
        headers = self.headers | options.pop("headers", {})
        return self.client.post(path, headers=headers, **options)

    def get(self, path, **parameters):
        return self.client.get(path, query_string=parameters, headers=self.headers)


# The fast path leaves a request with a q-value in its Accept header to the view.
ROUTES = {
    "fast path": {"Accept": "application/json"},
    "view": {"Accept": "application/json;q=0.9"},
}


@pytest.fixture(params=ROUTES)
def route(request):
    """A client for each of the two routes that a message can take."""
    return WsgiClient(ROUTES[request.param])


@pytest.fixture
def http():
    return WsgiClient(ROUTES["fast path"])


def end_sessions():
    """End all other sessions of the database, as a restart of its server does."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


class Outage:
    """Lets all new connections to the database fail, from ``begin()`` to ``end()``."""

    def __init__(self):
        self.database = connections.settings["default"]
        self.address = {name: self.database[name] for name in ("HOST", "PORT", "NAME")}

    def begin(self):
        end_sessions()
        unreachable = {"HOST": "127.0.0.1", "PORT": "1", "NAME": "/nowhere/at/all.sqlite3"}
        if settings.ON_SERVERS:
            unreachable["NAME"] = self.address["NAME"]
        self.database.update(unreachable)
        # SQLite has no sessions to end.
        writer.close()
        connection.close()

    def end(self):
        self.database.update(self.address)
        connection.close()


@pytest.fixture
def outage():
    outage = Outage()
    yield outage
    outage.end()
