"""The browsable pages of all services: forms, filters, links, and what they load."""

import html
import json
import re
from datetime import UTC, datetime

import pytest

from repairjobs.models import ClientJob, OutboxKind
from tests.common.doors import key
from tests.dashboard.factories import DailyTotalFactory
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import ClientJobFactory

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture
def page(api):
    def ask(path, code=200):
        response = api.get(path, headers={"Accept": "text/html"})
        assert response.status_code == code
        return response.content.decode()

    return ask


@pytest.fixture(autouse=True)
def _client_starts_empty():
    """No flush reaches a table that is the client's."""
    yield
    ClientJob.objects.all().delete()


@pytest.fixture
def job():
    """A job that was taken over; nobody was texted yet."""
    driver.go_live()
    ClientJobFactory(job_id=123)
    driver.import_jobs()
    driver.run_outbox(OutboxKind.DOCUMENT)


def raw_example(text):
    """What the form for raw data begins with."""
    return html.unescape(
        re.search(r'<textarea name="_content".*?>\n(.*?)</textarea>', text, re.S)[1]
    )


class TestForms:
    @pytest.mark.parametrize("path", ["/messages", "/events", "/client/jobs", "/messages/batch"])
    def test_begin_with_an_example_that_can_be_sent(self, api, page, path):
        example = raw_example(page(path, 405 if path == "/messages/batch" else 200))

        response = api.post(path, example, content_type="application/json")

        assert response.status_code in {200, 201}, response.content
        assert "rejected" not in response.json() or response.json()["accepted"] == 1

    @pytest.mark.parametrize("path", ["payments", "parts", "messages"])
    def test_begin_with_an_example_below_a_job(self, api, page, job, path):
        example = raw_example(page(f"/jobs/123/{path}", 405 if path == "payments" else 200))

        response = api.post(f"/jobs/123/{path}", example, content_type="application/json")

        assert response.status_code == 201, response.content

    def test_begin_with_an_example_of_a_change(self, api, page, job):
        part = {"part_number": "PUMP-40", "name": "Drain pump", "quantity": 1}
        added = api.post("/jobs/123/parts", part, format="json").json()
        paths = {"patch": f"/jobs/123/parts/{added['id']}", "put": "/client/jobs/123"}

        for method, path in paths.items():
            example = raw_example(page(path, 405 if method == "patch" else 200))
            response = getattr(api, method)(path, example, content_type="application/json")

            assert response.status_code == 200, response.content

    def test_stand_alone_where_there_is_nothing_to_read(self, api, page, job):
        alone = '<body class="form-only">'

        assert alone in page("/jobs/123/payments", 405)
        assert alone in page("/messages/batch", 405)
        assert alone not in page("/jobs/123/parts")
        refused = api.delete("/jobs/123/payments", headers={"Accept": "text/html"})
        assert refused.status_code == 405
        assert alone not in refused.content.decode()

    def test_ask_for_a_message_of_its_own_each_time(self, page):
        first, second = (json.loads(raw_example(page("/messages"))) for _ in range(2))

        assert first["uuid"] != second["uuid"]

    def test_of_fields_begin_with_it_too(self, page):
        text = page("/messages")

        assert re.search(r'name="amount"[^>]* value="0.012"', text)
        assert re.search(r'name="customerId"[^>]* value="1"', text)

    def test_can_be_sent_as_they_stand(self, api, page):
        fields = dict(re.findall(r'name="(\w+)"[^>]*? value="([^"]*)"', page("/events")))
        sent = {
            name: fields.get(name, "")
            for name in ("hotel_id", "timestamp", "room_id", "night_of_stay")
        }

        response = api.post("/events", {**sent, "rpg_status": "1"}, format="multipart")

        assert response.status_code == 201, response.content

    @pytest.mark.parametrize(
        ("path", "media_type", "sent"),
        [
            ("/messages", "application/json", '{"customerId": "one",\n "type": "A"}'),
            ("/messages", "application/json; charset=utf-8", '{"customerId": 1,,}'),
            ("/events", "application/json", '{"hotel_id": 9, "room_id": "<Suite>"}'),
            ("/messages/batch", "application/x-ndjson", "1\n" * 10_001),
            ("/messages/batch", "application/json", '{"a": 1}'),
        ],
    )
    def test_keep_what_was_sent_and_refused(self, api, path, media_type, sent):
        answer = api.post(path, sent, content_type=media_type, headers={"Accept": "text/html"})

        assert answer.status_code in {400, 413}
        kept = raw_example(answer.content.decode())
        assert kept.strip() == sent.strip()
        assert f'<option value="{media_type.partition(";")[0]}" selected>' in answer.text

    def test_begin_anew_after_what_was_taken(self, api, page):
        sent = json.loads(raw_example(page("/messages")))

        answer = api.post("/messages", sent, format="json", headers={"Accept": "text/html"})

        assert answer.status_code == 201
        assert json.loads(raw_example(answer.content.decode()))["uuid"] != sent["uuid"]

    @pytest.mark.parametrize(
        ("path", "names"),
        [
            ("/messages", ["customerId", "type", "amount", "uuid", "timestamp"]),
            ("/events", ["id", "hotel_id", "timestamp", "rpg_status", "room_id", "night_of_stay"]),
        ],
    )
    def test_name_their_fields_as_the_api_does(self, page, path, names):
        form = page(path).partition('id="post-object-form"')[2].partition("</form>")[0]

        labels = re.findall(r"<label[^>]*>\s*(.*?)\s*</label>", form)
        assert labels == names

    def test_of_an_event_begin_with_a_night_ahead(self, page, time_machine):
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
            ("/stats?from=2026-02-01&to=2026-01-01", "from", "After `to`; allowed: the same day"),
            ("/stats?customerId=abc", "customerId", "A valid integer is required."),
            ("/dashboard?hotel_id=abc&year=2020", "hotel_id", "A valid integer is required."),
            ("/dashboard?hotel_id=1&year=abc", "year", "A valid integer is required."),
        ],
    )
    def test_say_above_their_form_why_they_refuse(self, page, path, name, reason):
        text = page(path, 400)

        before, _, form = text.partition('<form class="asking"')
        assert f'<p id="refused-{name}"><b>{name}</b>: {reason}' in before
        (field,) = re.findall(f'<input[^>]* name="{name}"[^>]*>', form)
        assert f'aria-invalid="true" aria-describedby="refused-{name}"' in field
        assert form.partition("</form>")[0].count("aria-invalid") == 1
        assert 'value="abc"' in field or 'value="2026-02-01"' in field

    @pytest.mark.parametrize("path", ["/stats", "/dashboard?hotel_id=1"])
    def test_that_are_answered_refuse_nothing(self, page, path):
        assert "aria-invalid" not in page(path)

    @pytest.mark.parametrize("name", ["items", "%3Cscript%3E", "a%20b"])
    def test_name_what_they_do_not_know(self, page, name):
        text = page(f"/stats?{name}=1", 400)

        assert "Unknown parameter" in text.partition('<form class="asking"')[0]
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
    def test_can_be_filled_in(self, page, path, names):
        form = page(path).partition('id="filtersModal"')[2]

        assert names <= set(re.findall(r'<(?:input|select)[^>]* name="(\w+)"', form))
        assert " required" not in form
        assert "This field is required" not in page(f"{path}?limit=5")

    def test_keep_what_was_asked(self, page):
        assert '<option value="OPENED" selected>' in page("/jobs?status=OPENED")

    def test_are_for_lists_alone(self, api, page):
        api.post("/messages", raw_example(page("/messages")), content_type="application/json")
        (message,) = api.get("/messages").json()

        assert "filtersModal" not in page(f"/messages/{message['uuid']}")


class TestLinks:
    def test_lead_from_a_message_to_its_statistics(self, api, page):
        message = json.loads(raw_example(page("/messages"))) | {"type": "a&b"}
        api.post("/messages", message, format="json")

        text = page(f"/messages/{message['uuid']}")

        assert 'href="/stats?customerId=1&amp;type=a%26b"' in text

    def test_lead_around_a_job(self, page, job):
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
    def test_hold_no_script_and_load_nothing_from_elsewhere(self, page, path):
        text = page(path)

        scripts = re.findall(r"<script([^>]*)>", text)
        assert all("src=" in script or "application/json" in script for script in scripts)
        assert not re.findall(r"<[^>]+\son\w+=", text)
        assert not re.findall(r'(?:src|href)="(?:https?:)?//(?!testserver)[^"]+', text)
        assert 'name="viewport"' in text

    @pytest.mark.parametrize("path", ["/stats?interval=day", "/dashboard?hotel_id=1"])
    def test_of_reports_style_nothing_by_attributes(self, page, path):
        report = page(path).partition('<section class="report"')[2].partition("</section>")[0]

        assert report
        assert "style=" not in report

    def test_explain_in_words_and_code(self, page):
        assert "<code>/schemas/stats_message.json</code>" in page("/messages")

    def test_say_what_to_try_with_this_address(self, page):
        text = html.unescape(page("/"))

        assert text.count("data-copy") == 3
        assert "curl -s 'http://testserver/dashboard?hotel_id=1&format=csv'" in text

    def test_say_where_a_key_goes_when_one_is_needed(self, api, settings):
        settings.API_KEYS_REQUIRED = True

        text = api.get("/", headers={"Accept": "text/html", **key("stats")}).content.decode()

        assert text.count("-H &quot;Authorization: Api-Key $API_KEY&quot;") == 3

    @pytest.mark.parametrize(
        "path", ["/stats", "/messages", "/events", "/dashboard?hotel_id=1", "/jobs", "/jobs/123"]
    )
    def test_give_way_to_a_format_in_the_address(self, api, job, path):
        given = api.get(path)

        asked = api.get(
            f"{path}{'&' if '?' in path else '?'}format=json", headers={"Accept": "text/html"}
        )

        assert (asked.status_code, asked["Content-Type"]) == (200, "application/json")
        assert asked.json() == given.json()

    @pytest.mark.parametrize("path", ["/stats", "/dashboard", "/dashboard?hotel_id=1"])
    def test_show_nothing_without_a_key(self, api, settings, path):
        settings.API_KEYS_REQUIRED = True
        DailyTotalFactory(hotel_id=4711)

        for accept in ("text/html;q=0.9", "text/csv", "text/html"):
            response = api.get(path, headers={"Accept": accept, "Authorization": "Api-Key wrong"})

            assert response.status_code == 401
            assert b"4711" not in response.content
            assert b"<svg" not in response.content
            assert b"hotel_id,by" not in response.content
