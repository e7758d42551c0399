"""Every operation of the OpenAPI documents, called with valid and with invalid data."""

from copy import deepcopy

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from config.wsgi import application
from repairjobs.models import ClientJob

# A thread of its own writes messages. It sees only committed data.
pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")

document = schemathesis.openapi.from_wsgi("/schema?format=json", application)
OPERATIONS = {result.ok().label: result.ok() for result in document.get_all_operations()}

# Operations without input, so that no input is invalid.
WITHOUT_INPUT = {"GET /schemas/stats_message.json"}


def test_the_document_has_operations_of_every_service():
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


def remove_what_no_schema_can_express(case):
    """Remove cursors, which come from a Link header, and dates that depend on others or on now."""
    query, body = case.query or {}, case.body
    query.pop("cursor", None)
    if "from" in query:
        query.pop("to", None)
    for message in body if isinstance(body, list) else [body]:
        if isinstance(message, dict) and "amount" in message:
            message.pop("timestamp", None)


@pytest.fixture(autouse=True)
def _client_starts_empty():
    """Empty the client's table, which Django's flush does not know."""
    yield
    ClientJob.objects.all().delete()


@pytest.mark.hypothesis
@pytest.mark.parametrize("mode", GenerationMode, ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_operation_responds_as_documented(label, mode):
    if mode is GenerationMode.NEGATIVE and label in WITHOUT_INPUT:
        return

    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    @settings(
        # Half of the profile's examples: there are more than fifty operations.
        max_examples=settings.default.max_examples // 2,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def check(case):
        if mode is GenerationMode.POSITIVE:
            remove_what_no_schema_can_express(case)
        excluded = []
        if label == "POST /messages/batch":  # an invalid item does not fail the batch
            excluded = [negative_data_rejection]
        if case.media_type == "multipart/form-data":  # forms contain only text
            excluded = [negative_data_rejection, positive_data_acceptance]
        case.call_and_validate(excluded_checks=excluded)

    check()


@pytest.mark.engine_independent
class TestDocument:
    """The texts and examples that Swagger UI shows."""

    raw = document.raw_schema
    operations = [
        (f"{method.upper()} {path}", operation)
        for path, item in raw["paths"].items()
        for method, operation in item.items()
    ]

    @pytest.mark.parametrize(("label", "operation"), operations)
    def test_every_operation_has_a_summary_a_description_and_a_tag(self, label, operation):
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"][0] in {"Stats", "Data provider", "Dashboard", "Repair jobs"}
        assert all(response["description"] for response in operation["responses"].values())

    @pytest.mark.parametrize(("label", "operation"), operations)
    def test_every_example_matches_its_schema(self, label, operation):
        bodies = []
        if "requestBody" in operation:
            bodies.append((without_read_only(self.raw), operation["requestBody"]))
        bodies += [(self.raw, response) for response in operation["responses"].values()]

        for raw, body in bodies:
            for media_type, content in body.get("content", {}).items():
                if media_type == "multipart/form-data":
                    continue  # forms have no examples
                assert content["examples"]
                for example in content["examples"].values():
                    schema = {**content["schema"], "components": raw["components"]}
                    jsonschema_rs.validate(schema, example["value"])


def without_read_only(raw):
    """Return the document for request bodies, in which read-only fields are not required."""
    raw = deepcopy(raw)
    for schema in raw["components"]["schemas"].values():
        fields = schema.get("properties", {})
        required = schema.get("required", [])
        schema["required"] = [name for name in required if not fields[name].get("readOnly")]
    return raw
