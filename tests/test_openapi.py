"""Every operation of the OpenAPI documents, called as they allow and as they do not."""

from copy import deepcopy

import jsonschema_rs
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


@pytest.mark.hypothesis
@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_answers_as_documented(label, mode):
    if mode is GenerationMode.NEGATIVE and label in TAKES_NOTHING:
        return

    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    @settings(
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


@pytest.mark.engine_independent
class TestDocument:
    """What a person reads in Swagger."""

    raw = document.raw_schema
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, item in raw["paths"].items()
        for method, operation in item.items()
    ]

    @pytest.mark.parametrize(("label", "operation"), operations)
    def test_says_what_each_operation_does(self, label, operation):
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"][0] in {"Stats", "Data provider", "Dashboard", "Repair jobs"}
        assert all(answer["description"] for answer in operation["responses"].values())

    @pytest.mark.parametrize(("label", "operation"), operations)
    def test_has_examples_that_are_as_they_may_be(self, label, operation):
        sent = [(as_sent(self.raw), operation["requestBody"])] if "requestBody" in operation else []
        answers = [(self.raw, answer) for answer in operation["responses"].values()]

        for raw, part in [*sent, *answers]:
            for kind, content in part.get("content", {}).items():
                if kind == "multipart/form-data":
                    continue  # a form begins with its fields
                assert content["examples"]
                for example in content["examples"].values():
                    schema = {**content["schema"], "components": raw["components"]}
                    jsonschema_rs.validate(schema, example["value"])


def as_sent(raw):
    """The document for bodies, which need no field that only answers have."""
    raw = deepcopy(raw)
    for schema in raw["components"]["schemas"].values():
        fields = schema.get("properties", {})
        is_sent = [name for name in schema.get("required", []) if not fields[name].get("readOnly")]
        schema["required"] = is_sent
    return raw
