"""The browsable pages of all services: forms, filters, links, and what they load."""

import html
import json
import re
from datetime import UTC, datetime

import pytest

from repairjobs.models import ClientJob, OutboxKind
from tests.common.routes import key_header
from tests.dashboard.factories import DailyTotalFactory
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import ClientJobFactory

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.engine_independent,
]


@pytest.fixture
def page(api):
    def get(path, code=200):
        response = api.get(path, headers={"Accept": "text/html"})
        assert response.status_code == code
        return response.content.decode()

    return get


@pytest.fixture(autouse=True)
def _client_starts_empty():
    """Empty the client's table, which Django's flush does not know."""
    yield
    ClientJob.objects.all().delete()


@pytest.fixture
def job():
    """A job that was imported; no SMS was sent yet."""
    driver.go_live()
    ClientJobFactory(job_id=123)
    driver.import_jobs()
    driver.run_outbox(OutboxKind.DOCUMENT)


def raw_example(text):
    """Return the initial content of the form for raw data."""
    return html.unescape(
        re.search(r'<textarea name="_content".*?>\n(.*?)</textarea>', text, re.S)[1]
    )


class TestForms:
    @pytest.mark.parametrize("path", ["/messages", "/events", "/client/jobs", "/messages/batch"])
    def test_a_form_starts_with_an_example_that_is_valid(self, api, page, path):
        example = raw_example(page(path, 405 if path == "/messages/batch" else 200))

        response = api.post(path, example, content_type="application/json")

        assert response.status_code in {200, 201}, response.content
        assert "rejected" not in response.json() or response.json()["accepted"] == 1

    @pytest.mark.parametrize("path", ["payments", "parts", "messages"])
    def test_a_form_of_a_job_starts_with_an_example_that_is_valid(self, api, page, job, path):
        example = raw_example(page(f"/jobs/123/{path}", 405 if path == "payments" else 200))

        response = api.post(f"/jobs/123/{path}", example, content_type="application/json")

        assert response.status_code == 201, response.content

    def test_a_form_for_changes_starts_with_an_example_that_is_valid(self, api, page, job):
        part = {"part_number": "PUMP-40", "name": "Drain pump", "quantity": 1}
        added = api.post("/jobs/123/parts", part, format="json").json()
        paths = {"patch": f"/jobs/123/parts/{added['id']}", "put": "/client/jobs/123"}

        for method, path in paths.items():
            example = raw_example(page(path, 405 if method == "patch" else 200))
            response = getattr(api, method)(path, example, content_type="application/json")

            assert response.status_code == 200, response.content

    def test_a_path_that_accepts_only_post_shows_only_its_form(self, api, page, job):
        form_only = '<body class="form-only">'

        assert form_only in page("/jobs/123/payments", 405)
        assert form_only in page("/messages/batch", 405)
        assert form_only not in page("/jobs/123/parts")
        response = api.delete("/jobs/123/payments", headers={"Accept": "text/html"})
        assert response.status_code == 405
        assert form_only not in response.content.decode()

    def test_each_form_for_a_message_has_a_new_uuid(self, page):
        first, second = (json.loads(raw_example(page("/messages"))) for _ in range(2))

        assert first["uuid"] != second["uuid"]

    def test_the_html_form_is_filled_with_the_example(self, page):
        text = page("/messages")

        assert re.search(r'name="amount"[^>]* value="0.012"', text)
        assert re.search(r'name="customerId"[^>]* value="1"', text)

    def test_the_html_form_is_valid_as_it_is(self, api, page):
        fields = dict(re.findall(r'name="(\w+)"[^>]*? value="([^"]*)"', page("/events")))
        content = {
            name: fields.get(name, "")
            for name in ("hotel_id", "timestamp", "room_id", "night_of_stay")
        }

        response = api.post("/events", {**content, "rpg_status": "1"}, format="multipart")

        assert response.status_code == 201, response.content

    @pytest.mark.parametrize(
        ("path", "media_type", "body"),
        [
            ("/messages", "application/json", '{"customerId": "one",\n "type": "A"}'),
            ("/messages", "application/json; charset=utf-8", '{"customerId": 1,,}'),
            ("/events", "application/json", '{"hotel_id": 9, "room_id": "<Suite>"}'),
            ("/messages/batch", "application/x-ndjson", "1\n" * 10_001),
            ("/messages/batch", "application/json", '{"a": 1}'),
        ],
    )
    def test_a_form_keeps_the_input_after_an_error(self, api, path, media_type, body):
        response = api.post(path, body, content_type=media_type, headers={"Accept": "text/html"})

        assert response.status_code in {400, 413}
        content = raw_example(response.content.decode())
        assert content.strip() == body.strip()
        assert f'<option value="{media_type.partition(";")[0]}" selected>' in response.text

    def test_a_form_has_a_new_example_after_success(self, api, page):
        message = json.loads(raw_example(page("/messages")))

        response = api.post("/messages", message, format="json", headers={"Accept": "text/html"})

        assert response.status_code == 201
        assert json.loads(raw_example(response.content.decode()))["uuid"] != message["uuid"]

    @pytest.mark.parametrize(
        ("path", "names"),
        [
            ("/messages", ["customerId", "type", "amount", "uuid", "timestamp"]),
            ("/events", ["id", "hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay"]),
        ],
    )
    def test_form_labels_are_the_field_names_of_the_api(self, page, path, names):
        form = page(path).partition('id="post-object-form"')[2].partition("</form>")[0]

        labels = re.findall(r"<label[^>]*>\s*(.*?)\s*</label>", form)
        assert labels == names

    def test_the_example_event_has_a_future_stay_date(self, page, time_machine):
        time_machine.move_to(datetime(2026, 12, 24, 17, 30, tzinfo=UTC), tick=False)

        text = page("/events")

        assert re.search(r'name="timestamp"[^>]* value="2026-12-24T17:30:00.000"', text)
        assert re.search(r'name="night_of_stay"[^>]* value="2027-01-07"', text)
        example = json.loads(raw_example(text))
        assert example["timestamp"] == "2026-12-24T17:30:00Z"
        assert example["night_of_stay"] == "2027-01-07"


class TestReports:
    @pytest.mark.parametrize(
        ("path", "name", "reason"),
        [
            ("/stats?from=2026-02-01&to=2026-01-01", "from", "from must not be after to"),
            ("/stats?customerId=abc", "customerId", "A valid integer is required."),
            ("/dashboard?hotel_id=abc&year=2020", "hotel_id", "A valid integer is required."),
            ("/dashboard?hotel_id=1&year=abc", "year", "A valid integer is required."),
        ],
    )
    def test_errors_are_shown_above_the_form_of_a_report(self, page, path, name, reason):
        text = page(path, 400)

        before, _, form = text.partition('<form class="query-form"')
        assert f'<p id="error-{name}"><b>{name}</b>: {reason}' in before
        (field,) = re.findall(f'<input[^>]* name="{name}"[^>]*>', form)
        assert f'aria-invalid="true" aria-describedby="error-{name}"' in field
        assert form.partition("</form>")[0].count("aria-invalid") == 1
        assert 'value="abc"' in field or 'value="2026-02-01"' in field

    @pytest.mark.parametrize("path", ["/stats", "/dashboard?hotel_id=1"])
    def test_a_valid_report_marks_no_field_as_invalid(self, page, path):
        assert "aria-invalid" not in page(path)

    @pytest.mark.parametrize("name", ["items", "%3Cscript%3E", "a%20b"])
    def test_an_unknown_parameter_is_named_and_escaped(self, page, name):
        text = page(f"/stats?{name}=1", 400)

        assert "Unknown parameter" in text.partition('<form class="query-form"')[0]
        assert "<script>" not in text


class TestFilters:
    @pytest.mark.parametrize(
        ("path", "names"),
        [
            ("/messages", {"customerId", "type", "timestamp__gte", "timestamp__lte"}),
            ("/parts", {"status"}),
            ("/jobs", {"status", "attention"}),
            ("/events", {"hotel_id", "room_id", "night_of_stay__gte", "recorded__gte"}),
        ],
    )
    def test_every_list_has_a_form_for_its_filters(self, page, path, names):
        form = page(path).partition('id="filtersModal"')[2]

        assert names <= set(re.findall(r'<(?:input|select)[^>]* name="(\w+)"', form))
        assert " required" not in form
        assert "This field is required" not in page(f"{path}?limit=5")

    def test_the_filter_form_keeps_the_selected_values(self, page):
        assert '<option value="OPENED" selected>' in page("/jobs?status=OPENED")

    def test_a_single_object_has_no_filter_form(self, api, page):
        api.post("/messages", raw_example(page("/messages")), content_type="application/json")
        (message,) = api.get("/messages").json()

        assert "filtersModal" not in page(f"/messages/{message['uuid']}")


class TestLinks:
    def test_a_message_links_to_its_statistics(self, api, page):
        message = json.loads(raw_example(page("/messages"))) | {"type": "a&b"}
        api.post("/messages", message, format="json")

        text = page(f"/messages/{message['uuid']}")

        assert 'href="/stats?customerId=1&amp;type=a%26b"' in text

    def test_the_pages_of_a_job_link_to_each_other(self, page, job):
        assert 'href="/jobs/00123"' in page("/jobs")
        for path in ("/transactions", "/messages", "/parts", "/payments"):
            assert f'href="/jobs/00123{path}"' in page("/jobs/123")
            assert f'href="/jobs/123{path}"' in page("/jobs/123/transactions")
        assert 'href="/jobs/123"' in page("/jobs/123/transactions")
        assert 'href="/jobs/123"' in page("/client/jobs/123")


class TestPages:
    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/messages",
            "/events",
            "/jobs",
            "/stats",
            "/stats?interval=day",
            "/dashboard?hotel_id=1",
        ],
    )
    def test_pages_have_no_inline_script_and_load_only_from_this_host(self, page, path):
        text = page(path)

        scripts = re.findall(r"<script([^>]*)>", text)
        assert all("src=" in script or "application/json" in script for script in scripts)
        assert not re.findall(r"<[^>]+\son\w+=", text)
        assert not re.findall(r'(?:src|href)="(?:https?:)?//(?!testserver)[^"]+', text)
        assert 'name="viewport"' in text

    @pytest.mark.parametrize("path", ["/stats?interval=day", "/dashboard?hotel_id=1"])
    def test_reports_use_no_style_attributes(self, page, path):
        report = page(path).partition('<section class="report"')[2].partition("</section>")[0]

        assert report
        assert "style=" not in report

    def test_code_in_a_description_is_marked_as_code(self, page):
        assert "<code>/schemas/stats_message.json</code>" in page("/messages")

    def test_the_index_shows_example_commands_with_its_own_url(self, page):
        text = html.unescape(page("/"))

        assert text.count("data-copy") == 3
        assert "curl -s 'http://testserver/dashboard?hotel_id=1&format=csv'" in text

    def test_the_example_commands_contain_the_api_key_header_if_keys_are_required(
        self, api, settings
    ):
        settings.API_KEYS_REQUIRED = True

        text = api.get("/", headers={"Accept": "text/html", **key_header("stats")}).content.decode()

        assert text.count("-H &quot;Authorization: Api-Key $API_KEY&quot;") == 3

    @pytest.mark.parametrize(
        "path", ["/stats", "/messages", "/events", "/dashboard?hotel_id=1", "/jobs", "/jobs/123"]
    )
    def test_the_format_parameter_overrides_the_accept_header(self, api, job, path):
        expected = api.get(path)

        response = api.get(
            f"{path}{'&' if '?' in path else '?'}format=json", headers={"Accept": "text/html"}
        )

        assert (response.status_code, response["Content-Type"]) == (200, "application/json")
        assert response.json() == expected.json()

    @pytest.mark.parametrize("path", ["/stats", "/dashboard", "/dashboard?hotel_id=1"])
    def test_no_format_shows_data_without_a_key(self, api, settings, path):
        settings.API_KEYS_REQUIRED = True
        DailyTotalFactory(hotel_id=4711)

        for accept in ("text/html;q=0.9", "text/csv", "text/html"):
            response = api.get(path, headers={"Accept": accept, "Authorization": "Api-Key wrong"})

            assert response.status_code == 401
            assert b"4711" not in response.content
            assert b"<svg" not in response.content
            assert b"hotel_id,by" not in response.content
