"""The admin in Chromium: content security policy, layout and no requests to other hosts."""

import shutil
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import sync_playwright

from repairjobs.models import DeliveryReceipt
from stats.models import DailyTotal
from tests.processes import not_tested

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases="__all__"),
]

PAGES = ["/admin/", "/admin/stats/dailytotal/", "/admin/repairjobs/job/", "/admin/auth/user/"]
WIDE = ["auth/user/{user}/change/", "repairjobs/deliveryreport/{report}/change/"]
FITS = "document.documentElement.scrollWidth <= innerWidth"
DRAWN = "Chart.instances && Object.keys(Chart.instances).length"


@pytest.fixture
def session(live_server, client):
    """The session key of a superuser. There are messages of two days."""
    if CHROMIUM is None:
        not_tested("the admin: Chromium is not installed")
    for days_ago in range(2):
        DailyTotal.objects.create(
            customer_id=1,
            type="A",
            day=timezone.now().date() - timedelta(days=days_ago),
            messages=3,
            amount_thousandths=36,
        )
    client.force_login(User.objects.create_superuser("operator"))
    return client.cookies[project.SESSION_COOKIE_NAME].value


@contextmanager
def signed_in(live_server, session, *, width=1280, **options):
    """Open a browser page. Close the browser before the test uses the database again.

    Playwright runs an event loop, in which Django forbids database access.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        context.add_cookies(
            [{"name": project.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
        )
        yield context.new_page()
        browser.close()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.full)])
def test_pages_draw_their_charts_without_errors_in_the_console(live_server, session, scheme):
    messages, urls = [], []
    with signed_in(live_server, session, color_scheme=scheme) as page:
        page.on("console", lambda message: messages.append((page.url, message.text)))
        page.on("pageerror", lambda error: messages.append((page.url, str(error))))
        page.on("request", lambda request: urls.append(request.url))
        pages = []
        for path in PAGES:
            page.goto(live_server.url + path, wait_until="networkidle")
            if path == "/admin/":
                page.wait_for_function(f"{DRAWN} === 4")
            pages.append(
                (
                    page.evaluate(DRAWN),
                    page.evaluate(FITS),
                    page.evaluate("document.documentElement.classList.contains('dark')"),
                )
            )

    assert messages == []
    assert [url for url in urls if not url.startswith((live_server.url, "data:"))] == []
    assert pages[0][0] == 4
    assert {fits for _, fits, _ in pages} == {True}
    assert {is_dark for _, _, is_dark in pages} == {scheme == "dark"}


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.full), 390])
def test_pages_fit_into_the_window(live_server, session, width):
    report = DeliveryReceipt.objects.create(
        digest="0123456789abcdef" * 4,
        message_uuid="f" * 64,
        reference="r" * 100,
        status="delivered",
        received_at=timezone.now(),
    )
    keys = {"user": User.objects.get().pk, "report": report.pk}
    with signed_in(live_server, session, width=width) as page:
        fits = {}
        for path in WIDE:
            page.goto(f"{live_server.url}/admin/{path.format(**keys)}", wait_until="networkidle")
            fits[path] = page.evaluate(FITS)

    assert fits == dict.fromkeys(WIDE, True)
