"""The pages for people, in the Chromium that is installed: they work, alone and for everybody."""

import re
import shutil
import signal
import sys
from collections.abc import Callable
from math import ceil
from types import SimpleNamespace

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Locator, Page, expect, sync_playwright

from tests.processes import (
    PATIENCE,
    answers,
    environment,
    eventually,
    free_port,
    not_tested,
    running,
)

pytestmark = pytest.mark.processes
expect.set_options(timeout=PATIENCE * 1_000)

YEAR = 2020
EVENTS = [
    {
        "id": number,
        "hotel_id": 7,
        "timestamp": f"{year}-01-0{number % 9 + 1}T10:00:00Z",
        "rpg_status": 2 if number % 5 == 0 else 1,
        "room_id": number,
        "night_of_stay": f"{year}-{number % 12 + 1:02}-14",
    }
    for number, year in enumerate([YEAR - 1, YEAR] * 20)
]
MESSAGES = [
    {
        "customerId": 1,
        "type": "AB"[number % 2],
        "amount": "0.012",
        "uuid": f"00000000-0000-4000-8000-{number:012}",
        "timestamp": f"{YEAR}-01-{number % 28 + 1:02}T12:00:00Z",
    }
    for number in range(40)
]
JOB = {
    "Job_id": 123,
    "Job_type": "REPAIR",
    "Job_status": "NEW",
    "Client_firstname": "Test",
    "Client_mobile": "07700 900123",
    "Product_type": "Kettle",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All of it as `make run` starts it, with a little of everything in its stores."""
    folder = tmp_path_factory.mktemp("site")
    env = environment(folder, PORT=str(free_port()), DEMO="false", INGEST_SECONDS="1")
    url = f"http://127.0.0.1:{env['PORT']}"
    with running(env, sys.executable, "-m", "local") as run:
        eventually(lambda: answers(f"{url}/readyz"), "the web is ready")
        for path, content in [
            *(("/events", event) for event in EVENTS),
            ("/messages/batch", MESSAGES),
            ("/client/jobs", JOB),
        ]:
            requests.post(f"{url}{path}", json=content, timeout=PATIENCE).raise_for_status()
        report = f"{url}/dashboard?hotel_id=7&year={YEAR}&period=year"
        eventually(
            lambda: requests.get(report, timeout=PATIENCE).json()["total"]["bookings"] == 16,
            "the events are ingested",
        )
        eventually(
            lambda: "OPENED" in requests.get(f"{url}/jobs/123", timeout=PATIENCE).text,
            "the job is opened",
        )
        yield SimpleNamespace(url=url, password=(folder / "admin_password").read_text().strip())
        run.send_signal(signal.SIGINT)
        run.wait(PATIENCE)


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium")
    if path is None:
        not_tested("the pages: there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", pytest.param("dark", marks=pytest.mark.full)])
def looks(request):
    return {"color_scheme": request.param}


@pytest.fixture
def page(chromium, site, looks):
    """A page of a browser that stays on this machine, and complains of nothing."""
    context = chromium.new_context(base_url=site.url, **looks)
    context.set_default_timeout(PATIENCE * 1_000)
    page = context.new_page()
    complaints: list[str] = []

    def note(said: ConsoleMessage) -> None:
        # A page that can only be posted to is a 405 when it is opened.
        if said.type == "error" and "405 (Method Not Allowed)" not in said.text:
            complaints.append(said.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda sent: (
            None
            if sent.url.startswith((site.url, "data:", "blob:"))
            else complaints.append(f"left for {sent.url}")
        ),
    )
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def is_for_everybody():
    """Fail if a page has what keeps people out, by axe's serious and critical rules."""
    axe = Axe()

    def check(page: Page) -> None:
        found = axe.run(page).response["violations"]
        assert [
            f"{each['id']}: {each['nodes'][0]['html'][:200]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
        ] == []

    return check


Check = Callable[[Page], None]


def sign_in(page: Page, site: SimpleNamespace) -> None:
    page.goto("/admin/")
    page.get_by_label("Username").fill("admin")
    page.locator("input[name=password]").fill(site.password)
    page.locator("button[type=submit]").first.click()
    page.wait_for_url("**/admin/")


def edges(page: Page, chart: Locator) -> list[str]:
    """Whether the left and the right edge of a chart are shaded, above all that is drawn."""
    box, around = chart.bounding_box(), page.locator(".report").first.bounding_box()
    assert box
    assert around
    page.mouse.move(0, 0)
    places = [(box["x"], box["y"]), (box["x"] + box["width"] - 4, box["y"])]
    plain, *found = [
        page.screenshot(clip={"x": ceil(x), "y": ceil(y), "width": 3, "height": 3})
        for x, y in [(around["x"] + 5, around["y"] + 8), *places]
    ]
    return ["plain" if each == plain else "shaded" for each in found]


class TestPages:
    def test_front(self, page: Page, is_for_everybody: Check):
        page.goto("/")

        expect(page.get_by_role("heading", level=1)).to_be_visible()
        is_for_everybody(page)
        page.get_by_role("link", name=re.compile("^Admin")).first.click()
        expect(page).to_have_url(re.compile("/admin/login/"))

    @pytest.mark.parametrize("period", ["month", pytest.param("day", marks=pytest.mark.full)])
    def test_dashboard(self, page: Page, is_for_everybody: Check, period):
        page.goto(f"/dashboard?hotel_id=7&year={YEAR}&period={period}")

        expect(page.locator("svg[role=img]").first).to_be_visible()
        expect(page.locator("table").get_by_text("16", exact=True).first).to_be_attached()
        is_for_everybody(page)

    def test_dashboard_chooses_another_hotel_and_year(self, page: Page):
        page.goto(f"/dashboard?hotel_id=8&year={YEAR}")
        page.locator("input[name=hotel_id]").fill("7")
        page.locator("input[name=year]").fill(str(YEAR - 1))
        page.get_by_role("button", name="Show").click()

        expect(page.get_by_role("heading", name=re.compile(f"Hotel 7.*{YEAR - 1}"))).to_be_visible()

    @pytest.mark.parametrize("interval", ["day", "month", ""])
    def test_stats(self, page: Page, is_for_everybody: Check, interval):
        page.goto("/stats?customerId=1" + (f"&interval={interval}" if interval else ""))

        expect(page.locator("svg[role=img]").first).to_be_visible()
        expect(page.get_by_text("0.480").first).to_be_visible()
        is_for_everybody(page)

    @pytest.mark.parametrize(
        "path", ["/messages", "/events", "/jobs", "/jobs/123", "/transactions", "/client/jobs"]
    )
    def test_browsable_api(self, page: Page, is_for_everybody: Check, path):
        page.goto(path)

        expect(page.get_by_text("HTTP 200 OK")).to_be_visible()
        is_for_everybody(page)

    def test_the_form_of_the_browsable_api_counts_a_message(self, page: Page, looks):
        page.goto("/messages")
        uuid = f"00000000-0000-4000-9000-{len(looks['color_scheme']):012}"
        form = page.locator("form[enctype='multipart/form-data']").first
        for name, text in [("customerId", "9"), ("type", "A"), ("amount", "0.012"), ("uuid", uuid)]:
            form.locator(f"[name={name}]").fill(text)
        form.get_by_role("button", name="POST").click()

        expect(page.get_by_text("HTTP 201 Created")).to_be_visible()
        site = page.url.partition("/messages")[0]
        assert requests.get(f"{site}/messages/{uuid}", timeout=PATIENCE).ok

    def test_the_form_of_a_payment_stands_alone(self, page: Page, is_for_everybody: Check):
        page.goto("/jobs/123/payments")
        expect(page.get_by_text("HTTP 405")).to_be_hidden()
        is_for_everybody(page)

        page.get_by_role("button", name="POST").locator("visible=true").click()

        expect(page.get_by_text("HTTP 201 Created")).to_be_visible()

    def test_pages_fit_a_phone(self, page: Page):
        page.set_viewport_size({"width": 390, "height": 844})

        for path in (
            "/",
            "/dashboard?hotel_id=7&year=2020&period=day",
            "/stats?customerId=1&interval=day",
        ):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path

    @pytest.mark.parametrize(
        "path", [f"/dashboard?hotel_id=7&year={YEAR}", "/stats?customerId=1&interval=day"]
    )
    def test_what_is_wider_than_a_phone_shows_it_and_scrolls_by_keyboard(self, page: Page, path):
        page.set_viewport_size({"width": 390, "height": 1600})
        page.goto(path)
        chart = page.locator(".chart").first
        at_first = edges(page, chart)

        chart.focus()
        page.keyboard.press("ArrowRight")
        expect(chart).not_to_have_js_property("scrollLeft", 0)
        chart.evaluate("it => it.scrollTo({left: it.scrollWidth, behavior: 'instant'})")

        assert at_first == ["plain", "shaded"]
        assert edges(page, chart) == ["shaded", "plain"]


class TestSwagger:
    @pytest.mark.parametrize(
        ("service", "operation"),
        [
            ("stats", "GET /stats"),
            pytest.param("dataprovider", "GET /events", marks=pytest.mark.full),
            pytest.param("dashboard", "GET /dashboard", marks=pytest.mark.full),
            pytest.param("repairjobs", "GET /jobs", marks=pytest.mark.full),
            ("stats", "POST /messages"),
        ],
    )
    def test_tries_a_call_out(self, page: Page, service, operation, looks, is_for_everybody: Check):
        method, path = operation.split()
        page.goto(f"/docs/{service}")
        block = page.locator(f".opblock-{method.lower()}").filter(
            has=page.locator(f".opblock-summary-path[data-path='{path}']")
        )
        block.locator(".opblock-summary-control").click()
        block.get_by_role("button", name="Execute").click()

        expect(
            block.locator(".live-responses-table tbody .response-col_status").first
        ).to_have_text(re.compile("^20[01]"))
        is_dark = page.evaluate("document.documentElement.classList.contains('dark-mode')")
        assert is_dark == (looks["color_scheme"] == "dark")
        is_for_everybody(page)


class TestAdmin:
    def test_front_page(self, page: Page, site: SimpleNamespace, is_for_everybody: Check):
        sign_in(page, site)

        expect(page.get_by_text("Repair jobs").first).to_be_visible()
        is_for_everybody(page)

    def test_a_job(self, page: Page, site: SimpleNamespace, is_for_everybody: Check):
        sign_in(page, site)
        page.goto("/admin/repairjobs/job/123/change/")

        expect(page.get_by_text("GET new job").first).to_be_visible()
        is_for_everybody(page)
