"""A client of this machine's own ``/client/jobs`` and ``/jobs`` over HTTP, for the demo.

Every function raises :class:`common.http_client.RemoteServiceUnavailable` if a request fails.
"""

from typing import Any

from django.conf import settings

from common.http_client import HttpClient

MAX_JOBS = 50


def fetch_jobs(status: str) -> list[dict[str, Any]]:
    """Return up to 50 documents of jobs with this status."""
    with _client() as client:
        documents: list[dict[str, Any]] = client.get(
            "/jobs", {"status": status, "limit": MAX_JOBS}
        ).json()
    return documents


def add_client_job(**columns: str) -> None:
    with _client() as client:
        client.post("/client/jobs", columns)


def set_client_status(job_id: str, status: str) -> None:
    with _client() as client:
        client.put(f"/client/jobs/{job_id}", {"Job_status": status})


def pay(job_id: str, *, reference: str, amount: str) -> None:
    payment = {"reference": reference, "amount": amount, "currency": "GBP"}
    with _client() as client:
        client.post(f"/jobs/{job_id}/payments", payment)


def _client() -> HttpClient:
    # Always this machine, because the demo sends requests only to itself.
    return HttpClient(
        f"http://127.0.0.1:{settings.PORT}",
        api_key=settings.SANDBOX_KEY,
        url_setting="PORT",
        key_setting="SANDBOX_KEY",
    )
