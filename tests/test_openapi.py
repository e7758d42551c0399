"""Every operation of the OpenAPI documents, called as they allow and as they do not."""

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from config.wsgi import application

pytestmark = pytest.mark.django_db(databases=["default", "dataprovider", "dashboard"])

document = schemathesis.openapi.from_wsgi("/schema?format=json", application)
OPERATIONS = {found.ok().label: found.ok() for found in document.get_all_operations()}


@pytest.fixture(autouse=True)
def _connections_stay_open():
    """A real request would close the connection that holds the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def test_there_are_operations():
    assert set(OPERATIONS) == {"GET /dashboard", "GET /events", "POST /events"}


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_answers_as_documented(label, mode):
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    @settings(
        max_examples=100,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def check(case):
        # Nobody can make up a cursor: it comes from a Link header.
        if mode is GenerationMode.POSITIVE and case.query:
            case.query.pop("cursor", None)
        case.call_and_validate()

    check()
