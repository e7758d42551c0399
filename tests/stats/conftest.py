import json

import pytest
from werkzeug.test import Client

from config.wsgi import application


class Door:
    """The whole application, as a server calls it."""

    def __init__(self, headers):
        self.client = Client(application)
        self.headers = headers

    def post(self, path, content=None, **options):
        """Post JSON content, or whatever ``data`` is."""
        options = {"data": json.dumps(content), "content_type": "application/json"} | options
        headers = self.headers | options.pop("headers", {})
        return self.client.post(path, headers=headers, **options)

    def get(self, path, **parameters):
        return self.client.get(path, query_string=parameters, headers=self.headers)


# A weight makes the small door in front hand on.
DOORS = {"front": {"Accept": "application/json"}, "full": {"Accept": "application/json;q=0.9"}}


@pytest.fixture(params=DOORS)
def door(request):
    """Both ways that a message can take."""
    return Door(DOORS[request.param])


@pytest.fixture
def http():
    return Door(DOORS["front"])
