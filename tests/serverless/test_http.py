import json
import sys
from uuid import uuid4

import pytest

from tests.processes import eventually
from tests.serverless.gateway import ADDRESS, HOST, http_api, read, rest_api
from tests.serverless.runtime import Failed

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="freezes processes by Linux's rules"),
]
both = pytest.mark.parametrize("event", [rest_api, http_api])
JSON = {"content_type": "application/json"}


@pytest.fixture(scope="module")
def stats(cloud):
    return cloud("http", "stats")


@pytest.fixture(scope="module")
def dataprovider(cloud):
    """A function that serves the events 1 and 2."""
    function = cloud("http", "dataprovider")
    for id in (1, 2):
        function.invoke(http_api("POST", "/events", booking(id), **JSON))
    return function


def message(**other):
    content = {"customerId": 1, "type": "A", "amount": "0.012", "uuid": str(uuid4()), **other}
    return json.dumps(content).encode()


def booking(id):
    content = {
        "id": id,
        "hotel_id": 1,
        "timestamp": "2020-01-01T00:00:00Z",
        "rpg_status": 1,
        "room_id": 1,
        "night_of_stay": "2020-01-10",
    }
    return json.dumps(content).encode()


def count(stats, customer):
    rows = read(stats.invoke(http_api("GET", f"/stats?customerId={customer}"))).json()
    return sum(row["count"] for row in rows)


class TestEvents:
    @both
    def test_a_post_stores_the_message_and_returns_it(self, stats, event):
        body = message()

        first = read(stats.invoke(event("POST", "/messages", body, **JSON)))
        again = read(stats.invoke(event("POST", "/messages", body, **JSON)))

        assert (first.status, again.status) == (201, 200)
        assert first.json() == again.json()
        assert first.json()["uuid"] == json.loads(body)["uuid"]

    @both
    def test_a_base64_body_is_decoded(self, stats, event):
        body = message(type="Übergröße")

        response = read(stats.invoke(event("POST", "/messages", body, as_base64=True, **JSON)))

        assert response.status == 201
        assert response.json()["type"] == "Übergröße"

    @both
    def test_an_escaped_query_reaches_the_view_unchanged(self, stats, event):
        stats.invoke(event("POST", "/messages", message(customerId=7, type="a b&c=d+é"), **JSON))

        url = "/stats?customerId=7&type=a%20b%26c%3Dd%2B%C3%A9"

        assert read(stats.invoke(event("GET", url))).json()[0]["type"] == "a b&c=d+é"

    @both
    def test_a_repeated_parameter_reaches_the_view_twice(self, stats, event):
        response = read(stats.invoke(event("GET", "/stats?customerId=1&customerId=2")))

        assert response.status == 400
        assert "customerId" in response.json()

    @pytest.mark.parametrize(("event", "stage"), [(rest_api, "/prod"), (http_api, "")])
    def test_the_next_link_has_the_public_host_and_stage(self, dataprovider, event, stage):
        first = read(dataprovider.invoke(event("GET", "/events?limit=1")))

        assert [row["id"] for row in first.json()] == [1]
        link = first.headers["link"]
        assert link.startswith(f"<https://{HOST}{stage}/events?")
        query = link.partition("?")[2].partition(">")[0]
        second = read(dataprovider.invoke(event("GET", f"/events?{query}")))
        assert [row["id"] for row in second.json()] == [2]

    @both
    def test_pages_are_text_and_images_are_base64(self, stats, event):
        page = read(stats.invoke(event("GET", "/stats", accept="text/html")))
        icon = "/static/drf_spectacular_sidecar/swagger-ui-dist/favicon-32x32.png"
        image = read(stats.invoke(event("GET", icon)))

        assert page.headers["content-type"].startswith("text/html")
        assert b"</html>" in page.body
        assert image.body.startswith(b"\x89PNG")

    @both
    def test_malformed_json_and_unknown_paths_are_errors_of_the_client(self, stats, event):
        malformed = read(stats.invoke(event("POST", "/messages", b"{", **JSON)))
        other_service = read(stats.invoke(event("GET", "/jobs")))

        assert malformed.status == 400
        assert "detail" in malformed.json()
        assert other_service.status == 404

    @both
    @pytest.mark.parametrize("url", ["/messages/日本 é", "/stats?type=日本&other="])
    def test_a_url_that_is_not_ascii_is_answered(self, stats, event, url):
        response = read(stats.invoke(event("GET", url, cookie="theme=日本")))

        assert response.status in {400, 404}

    @both
    def test_the_rate_limit_uses_the_address_that_the_gateway_saw(self, cloud, event):
        limited = cloud("http", "stats", RATE_LIMIT="1/hour")

        forged = [f"198.51.100.{number}, {ADDRESS}" for number in (1, 2)]
        events = [event("GET", "/stats", x_forwarded_for=addresses) for addresses in forged]

        assert [limited.invoke(event)["statusCode"] for event in events] == [200, 429]

    def test_the_next_link_on_a_custom_domain_has_no_stage(self, dataprovider):
        event = rest_api("GET", "/events?limit=1")
        event["requestContext"]["path"] = "/events"

        page = read(dataprovider.invoke(event))

        assert page.headers["link"].startswith(f"<https://{HOST}/events?")

    @both
    def test_cookies_pass_in_both_directions(self, all_services, event):
        page = all_services.invoke(event("GET", "/admin/login/", accept="text/html"))
        cookies = page.get("cookies") or page["multiValueHeaders"]["Set-Cookie"]
        token = cookies[0].strip().partition(";")[0]
        form = f"username=nobody&password=x&csrfmiddlewaretoken={token.partition('=')[2]}".encode()

        content_type = "application/x-www-form-urlencoded"
        response = read(
            all_services.invoke(
                event(
                    "POST",
                    "/admin/login/",
                    form,
                    content_type=content_type,
                    cookie=f"theme=dark; {token}",
                    referer=f"https://{HOST}/admin/login/",
                )
            )
        )

        # The wrong password was checked. A missing CSRF cookie would be a 403.
        assert token.startswith("csrftoken=")
        assert response.status == 200
        assert b"correct username and password" in response.body


@pytest.fixture(scope="module")
def all_services(cloud):
    return cloud("http", "all")


class TestInvocations:
    def test_an_event_that_is_not_a_request_fails_the_invocation(self, stats):
        with pytest.raises(Failed) as error:
            stats.invoke({"version": "9.9", "key": "value"})

        assert error.value.type == "ValueError"
        assert read(stats.invoke(http_api("GET", "/healthz"))).status == 200


class TestFrozenSandbox:
    def test_a_frozen_sandbox_has_stored_every_message_that_it_confirmed(self, cloud, stats):
        function = cloud("http", "stats")
        for _ in range(5):
            response = read(
                function.invoke(http_api("POST", "/messages", message(customerId=50), **JSON))
            )
            eventually(function.is_frozen, "the sandbox is frozen")
            assert response.status == 201

        function.kill()

        assert count(stats, 50) == 5

    def test_a_thawed_sandbox_counts_a_repeated_message_once(self, stats):
        body = message(customerId=51)

        for _ in range(3):
            eventually(stats.is_frozen, "the sandbox is frozen")
            stats.invoke(http_api("POST", "/messages", body, **JSON))

        assert count(stats, 51) == 1
