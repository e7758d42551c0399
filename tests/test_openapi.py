"""Every operation of the OpenAPI documents, called as they allow and as they do not."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from config.wsgi import application
from repairjobs.models import ClientJob

# Messages are written by a thread of their own, which sees only what is committed.
pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

document = schemathesis.openapi.from_wsgi("/schema?format=json", application)
OPERATIONS = {found.ok().label: found.ok() for found in document.get_all_operations()}

# Nothing can be wrong about it.
TAKES_NOTHING = {"GET /schemas/stats_message.json"}


def test_there_are_operations():
    assert set(OPERATIONS) >= {
        "GET /jobs",
        "POST /client/jobs",
        "POST /jobs/{job_id}/payments",
        "POST /webhooks/vonage/inbound",
        "GET /dashboard",
        "GET /events",
        "GET /messages",
        "GET /messages/{uuid}",
        "GET /schemas/stats_message.json",
        "GET /stats",
        "POST /events",
        "POST /messages",
        "POST /messages/batch",
    }


def forget_what_no_schema_says(case):
    """A cursor comes from a Link header, ``from`` is before ``to``, and no message is of 6818."""
    query, body = case.query or {}, case.body
    query.pop("cursor", None)
    if "from" in query:
        query.pop("to", None)
    for message in body if isinstance(body, list) else [body]:
        if isinstance(message, dict) and "amount" in message:
            message.pop("timestamp", None)


@pytest.fixture(autouse=True)
def _client_starts_empty():
    """No flush reaches a table that is the client's."""
    yield
    ClientJob.objects.all().delete()


@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_answers_as_documented(label, mode):
    if mode is GenerationMode.NEGATIVE and label in TAKES_NOTHING:
        return

    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    @settings(
        max_examples=100,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def check(case):
        if mode is GenerationMode.POSITIVE:
            forget_what_no_schema_says(case)
        excluded = []
        if label == "POST /messages/batch":  # one bad message never fails the others
            excluded = [negative_data_rejection]
        if case.media_type == "multipart/form-data":  # a form knows only text, and odd names
            excluded = [negative_data_rejection, positive_data_acceptance]
        case.call_and_validate(excluded_checks=excluded)

    check()
