"""``make screenshots``: start a demo and take the README's pictures."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).resolve().parent
PORT = os.environ.get("PORT", "8099")
URL = f"http://127.0.0.1:{PORT}"
MAX_WAIT_SECONDS = 120.0
PAGES = {
    "front": "/",
    "dashboard-month": "/dashboard?hotel_id=1&period=month",
    "dashboard-day": "/dashboard?hotel_id=1&period=day",
    "stats": "/stats?customerId=1&interval=month",
    "admin": "/admin/",
    "admin-job": "/admin/repairjobs/job/1/change/",
}


def main() -> int:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed. It is needed to take the pictures.")
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        settings = os.environ | {"DATA_DIR": folder, "PORT": PORT, "ENV_FILE": os.devnull}
        demo = subprocess.Popen([sys.executable, "-m", "local"], cwd=DOCS.parent, env=settings)
        try:
            wait_for(f"{URL}/readyz")
            # An opened job has a longer timeline.
            wait_for(f"{URL}/jobs/1")
            take_pictures(chromium, Path(folder, "admin_password").read_text().strip())
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait()
    return 0


def wait_for(url: str) -> None:
    """Wait until the URL responds.

    :raises TimeoutError:
    """
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            urlopen(url).close()
        except (URLError, ConnectionError):
            time.sleep(0.5)
        else:
            return
    raise TimeoutError(f"{url} did not respond within {MAX_WAIT_SECONDS:.0f} seconds")


def take_pictures(chromium: str, password: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900}, base_url=URL)
        sign_in(page, password)
        for name, path in PAGES.items():
            page.goto(path, wait_until="networkidle")
            page.screenshot(path=DOCS / "pictures" / f"{name}.png")
            print(f"Took {name}")
        browser.close()


def sign_in(page: Page, password: str) -> None:
    page.goto("/admin/")
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(password)
    page.locator("button[type=submit]").first.click()
    page.wait_for_url("**/admin/")


if __name__ == "__main__":
    sys.exit(main())
