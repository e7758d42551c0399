"""The pages in Chromium: they work, are accessible, and load nothing from other hosts."""

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
    """The whole project as `make run` starts it, with some data of each service."""
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
        not_tested("the pages: Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", pytest.param("dark", marks=pytest.mark.full)])
def color_scheme(request):
    return request.param


@pytest.fixture
def page(chromium, site, color_scheme):
    """A browser page. The test fails if the page logs an error or leaves this machine."""
    context = chromium.new_context(base_url=site.url, color_scheme=color_scheme)
    context.set_default_timeout(PATIENCE * 1_000)
    page = context.new_page()
    errors: list[str] = []

    def record(message: ConsoleMessage) -> None:
        # Opening a path that accepts only POST is a 405.
        if message.type == "error" and "405 (Method Not Allowed)" not in message.text:
            errors.append(message.text)

    page.on("console", record)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((site.url, "data:", "blob:"))
            else errors.append(f"requested {request.url}")
        ),
    )
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def check_accessibility():
    """Fail if a page breaks one of axe's serious or critical rules."""
    axe = Axe()

    def check(page: Page) -> None:
        violations = axe.run(page).response["violations"]
        assert [
            f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
            for violation in violations
            if violation["impact"] in {"serious", "critical"}
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
    """Return whether the left and the right edge of a chart are "plain" or "shaded"."""
    box, report = chart.bounding_box(), page.locator(".report").first.bounding_box()
    assert box
    assert report
    page.mouse.move(0, 0)
    positions = [(box["x"], box["y"]), (box["x"] + box["width"] - 4, box["y"])]
    plain, *samples = [
        page.screenshot(clip={"x": ceil(x), "y": ceil(y), "width": 3, "height": 3})
        for x, y in [(report["x"] + 5, report["y"] + 8), *positions]
    ]
    return ["plain" if sample == plain else "shaded" for sample in samples]


class TestPages:
    def test_the_index_page_links_to_the_admin(self, page: Page, check_accessibility: Check):
        page.goto("/")

        expect(page.get_by_role("heading", level=1)).to_be_visible()
        check_accessibility(page)
        page.get_by_role("link", name=re.compile("^Admin")).first.click()
        expect(page).to_have_url(re.compile("/admin/login/"))

    @pytest.mark.parametrize("period", ["month", pytest.param("day", marks=pytest.mark.full)])
    def test_the_dashboard_shows_a_chart_and_a_table(
        self, page: Page, check_accessibility: Check, period
    ):
        page.goto(f"/dashboard?hotel_id=7&year={YEAR}&period={period}")

        expect(page.locator("svg[role=img]").first).to_be_visible()
        expect(page.locator("table").get_by_text("16", exact=True).first).to_be_attached()
        check_accessibility(page)

    def test_the_dashboard_form_selects_hotel_and_year(self, page: Page):
        page.goto(f"/dashboard?hotel_id=8&year={YEAR}")
        page.locator("input[name=hotel_id]").fill("7")
        page.locator("input[name=year]").fill(str(YEAR - 1))
        page.get_by_role("button", name="Show").click()

        expect(page.get_by_role("heading", name=re.compile(f"Hotel 7.*{YEAR - 1}"))).to_be_visible()

    @pytest.mark.parametrize("interval", ["day", "month", ""])
    def test_the_statistics_page_shows_a_chart_and_totals(
        self, page: Page, check_accessibility: Check, interval
    ):
        page.goto("/stats?customerId=1" + (f"&interval={interval}" if interval else ""))

        expect(page.locator("svg[role=img]").first).to_be_visible()
        expect(page.get_by_text("0.480").first).to_be_visible()
        check_accessibility(page)

    @pytest.mark.parametrize(
        "path",
        [
            "/messages",
            "/jobs/123",
            *(
                pytest.param(path, marks=pytest.mark.full)
                for path in ("/events", "/jobs", "/transactions", "/client/jobs")
            ),
        ],
    )
    def test_the_browsable_api_shows_every_list(self, page: Page, check_accessibility: Check, path):
        page.goto(path)

        expect(page.get_by_text("HTTP 200 OK")).to_be_visible()
        check_accessibility(page)

    def test_the_form_of_the_browsable_api_stores_a_message(self, page: Page, color_scheme):
        page.goto("/messages")
        uuid = f"00000000-0000-4000-9000-{len(color_scheme):012}"
        form = page.locator("form[enctype='multipart/form-data']").first
        for name, text in [("customerId", "9"), ("type", "A"), ("amount", "0.012"), ("uuid", uuid)]:
            form.locator(f"[name={name}]").fill(text)
        form.get_by_role("button", name="POST").click()

        expect(page.get_by_text("HTTP 201 Created")).to_be_visible()
        site = page.url.partition("/messages")[0]
        assert requests.get(f"{site}/messages/{uuid}", timeout=PATIENCE).ok

    def test_the_page_of_payments_shows_only_its_form(self, page: Page, check_accessibility: Check):
        page.goto("/jobs/123/payments")
        expect(page.get_by_text("HTTP 405")).to_be_hidden()
        check_accessibility(page)

        page.get_by_role("button", name="POST").locator("visible=true").click()

        expect(page.get_by_text("HTTP 201 Created")).to_be_visible()

    def test_pages_fit_on_a_phone(self, page: Page):
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
    def test_a_wide_chart_shades_its_edge_and_scrolls_by_keyboard(self, page: Page, path):
        page.set_viewport_size({"width": 390, "height": 1600})
        page.goto(path)
        chart = page.locator(".chart").first
        edges_at_start = edges(page, chart)

        chart.focus()
        page.keyboard.press("ArrowRight")
        expect(chart).not_to_have_js_property("scrollLeft", 0)
        chart.evaluate("chart => chart.scrollTo({left: chart.scrollWidth, behavior: 'instant'})")

        assert edges_at_start == ["plain", "shaded"]
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
    def test_swagger_executes_a_request(
        self, page: Page, service, operation, color_scheme, check_accessibility: Check
    ):
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
        assert is_dark == (color_scheme == "dark")
        check_accessibility(page)


class TestAdmin:
    def test_the_overview_shows_the_services(
        self, page: Page, site: SimpleNamespace, check_accessibility: Check
    ):
        sign_in(page, site)

        expect(page.get_by_text("Repair jobs").first).to_be_visible()
        check_accessibility(page)

    def test_the_page_of_a_job_shows_its_timeline(
        self, page: Page, site: SimpleNamespace, check_accessibility: Check
    ):
        sign_in(page, site)
        page.goto("/admin/repairjobs/job/123/change/")

        expect(page.get_by_text("GET new job").first).to_be_visible()
        check_accessibility(page)
