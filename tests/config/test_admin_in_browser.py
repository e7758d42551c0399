"""The admin as a browser has it: under its content security policy, and without a network."""

import shutil
from datetime import timedelta

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import sync_playwright

from stats.models import DailyTotal
from tests.processes import not_tested

CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.django_db(transaction=True, databases="__all__"),
]

PAGES = ["/admin/", "/admin/stats/dailytotal/", "/admin/repairjobs/job/", "/admin/auth/user/"]
DRAWN = "Chart.instances && Object.keys(Chart.instances).length"


@pytest.fixture
def session(live_server, client):
    """A superuser's session, of a day with messages."""
    if CHROMIUM is None:
        not_tested("the admin: there is no chromium")
    for back in range(2):
        DailyTotal.objects.create(
            customer_id=1,
            type="A",
            day=timezone.now().date() - timedelta(days=back),
            messages=3,
            amount_thousandths=36,
        )
    client.force_login(User.objects.create_superuser("operator"))
    return client.cookies[project.SESSION_COOKIE_NAME].value


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_draw_and_complain_of_nothing(live_server, session, scheme):
    said, asked = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
        context.add_cookies(
            [{"name": project.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
        )
        page = context.new_page()
        page.on("console", lambda message: said.append((page.url, message.text)))
        page.on("pageerror", lambda error: said.append((page.url, str(error))))
        page.on("request", lambda request: asked.append(request.url))
        found = []
        for path in PAGES:
            page.goto(live_server.url + path, wait_until="networkidle")
            found.append(
                (
                    page.evaluate(DRAWN),
                    page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
                    page.evaluate("document.documentElement.classList.contains('dark')"),
                )
            )
        browser.close()

    assert said == []
    assert [url for url in asked if not url.startswith((live_server.url, "data:"))] == []
    assert found[0][0] == 4
    assert {fits for _, fits, _ in found} == {True}
    assert {is_dark for _, _, is_dark in found} == {scheme == "dark"}
