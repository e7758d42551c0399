import json
import sys
from uuid import uuid4

import pytest

from tests.processes import eventually
from tests.serverless.gateway import ADDRESS, HOST, http_api, read, rest_api
from tests.serverless.local import Failed

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
    """Answers for a provider that has the events 1 and 2."""
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
    def test_carry_a_body_and_an_answer(self, stats, event):
        body = message()

        first = read(stats.invoke(event("POST", "/messages", body, **JSON)))
        again = read(stats.invoke(event("POST", "/messages", body, **JSON)))

        assert (first.status, again.status) == (201, 200)
        assert first.json() == again.json()
        assert first.json()["uuid"] == json.loads(body)["uuid"]

    @both
    def test_carry_a_body_as_base64(self, stats, event):
        body = message(type="Übergröße")

        made = read(stats.invoke(event("POST", "/messages", body, as_base64=True, **JSON)))

        assert made.status == 201
        assert made.json()["type"] == "Übergröße"

    @both
    def test_carry_a_query_as_it_was_sent(self, stats, event):
        stats.invoke(event("POST", "/messages", message(customerId=7, type="a b&c=d+é"), **JSON))

        url = "/stats?customerId=7&type=a%20b%26c%3Dd%2B%C3%A9"

        assert read(stats.invoke(event("GET", url))).json()[0]["type"] == "a b&c=d+é"

    @both
    def test_carry_a_parameter_that_is_there_twice(self, stats, event):
        answered = read(stats.invoke(event("GET", "/stats?customerId=1&customerId=2")))

        assert answered.status == 400
        assert "customerId" in answered.json()

    @pytest.mark.parametrize(("event", "stage"), [(rest_api, "/prod"), (http_api, "")])
    def test_lead_to_the_next_page_at_the_public_address(self, dataprovider, event, stage):
        first = read(dataprovider.invoke(event("GET", "/events?limit=1")))

        assert [each["id"] for each in first.json()] == [1]
        link = first.headers["link"]
        assert link.startswith(f"<https://{HOST}{stage}/events?")
        query = link.partition("?")[2].partition(">")[0]
        then = read(dataprovider.invoke(event("GET", f"/events?{query}")))
        assert [each["id"] for each in then.json()] == [2]

    @both
    def test_carry_pages_and_files_that_are_no_text(self, stats, event):
        page = read(stats.invoke(event("GET", "/stats", accept="text/html")))
        icon = "/static/drf_spectacular_sidecar/swagger-ui-dist/favicon-32x32.png"
        picture = read(stats.invoke(event("GET", icon)))

        assert page.headers["content-type"].startswith("text/html")
        assert b"</html>" in page.body
        assert picture.body.startswith(b"\x89PNG")

    @both
    def test_are_refused_as_everywhere(self, stats, event):
        bad = read(stats.invoke(event("POST", "/messages", b"{", **JSON)))
        elsewhere = read(stats.invoke(event("GET", "/jobs")))

        assert bad.status == 400
        assert "detail" in bad.json()
        assert elsewhere.status == 404

    @both
    @pytest.mark.parametrize("url", ["/messages/日本 é", "/stats?type=日本&other="])
    def test_are_answered_though_they_are_not_ascii(self, stats, event, url):
        answered = read(stats.invoke(event("GET", url, cookie="theme=日本")))

        assert answered.status in {400, 404}

    @both
    def test_tell_of_who_asks_what_the_gateway_saw(self, cloud, event):
        limited = cloud("http", "stats", RATE_LIMIT="1/hour")

        made_up = [f"198.51.100.{each}, {ADDRESS}" for each in (1, 2)]
        asked = [event("GET", "/stats", x_forwarded_for=each) for each in made_up]

        assert [limited.invoke(each)["statusCode"] for each in asked] == [200, 429]

    def test_at_an_address_of_one_s_own_have_no_stage(self, dataprovider):
        event = rest_api("GET", "/events?limit=1")
        event["requestContext"]["path"] = "/events"

        page = read(dataprovider.invoke(event))

        assert page.headers["link"].startswith(f"<https://{HOST}/events?")

    @both
    def test_carry_cookies_both_ways(self, everything, event):
        page = everything.invoke(event("GET", "/admin/login/", accept="text/html"))
        cookies = page.get("cookies") or page["multiValueHeaders"]["Set-Cookie"]
        token = cookies[0].strip().partition(";")[0]
        form = f"username=nobody&password=x&csrfmiddlewaretoken={token.partition('=')[2]}".encode()

        kind = "application/x-www-form-urlencoded"
        answered = read(
            everything.invoke(
                event(
                    "POST",
                    "/admin/login/",
                    form,
                    content_type=kind,
                    cookie=f"theme=dark; {token}",
                    referer=f"https://{HOST}/admin/login/",
                )
            )
        )

        # A wrong password, and so no forgery: that would be a 403.
        assert token.startswith("csrftoken=")
        assert answered.status == 200
        assert b"correct username and password" in answered.body


@pytest.fixture(scope="module")
def everything(cloud):
    return cloud("http", "all")


class TestAnInvocation:
    def test_that_is_no_request_fails_as_lambda_wants_it(self, stats):
        with pytest.raises(Failed) as failed:
            stats.invoke({"version": "9.9", "key": "value"})

        assert failed.value.type == "ValueError"
        assert read(stats.invoke(http_api("GET", "/healthz"))).status == 200


class TestAFrozenSandbox:
    def test_has_stored_what_it_answered_for(self, cloud, stats):
        mine = cloud("http", "stats")
        for _ in range(5):
            made = read(mine.invoke(http_api("POST", "/messages", message(customerId=50), **JSON)))
            eventually(mine.is_frozen, "it is frozen")
            assert made.status == 201

        mine.kill()

        assert count(stats, 50) == 5

    def test_doubles_nothing_when_it_thaws(self, stats):
        body = message(customerId=51)

        for _ in range(3):
            eventually(stats.is_frozen, "it is frozen")
            stats.invoke(http_api("POST", "/messages", body, **JSON))

        assert count(stats, 51) == 1
