"""The client's sandbox and our own API as their users meet them, over HTTP; for the demo."""

from typing import Any

import requests
from django.conf import settings

CONNECT_SECONDS, READ_SECONDS = 3.05, 10.0


class SandboxUnavailable(Exception):
    """The API of this machine could not be asked, or refused."""


def jobs(status: str) -> list[dict[str, Any]]:
    """Some documents of jobs with this status.

    :raises SandboxUnavailable:
    """
    found: list[dict[str, Any]] = _request(
        "GET", "/jobs", params={"status": status, "limit": 50}
    ).json()
    return found


def add_client_job(**columns: str) -> None:
    """
    :raises SandboxUnavailable:
    """
    _request("POST", "/client/jobs", json=columns)


def set_client_status(job_id: str, status: str) -> None:
    """
    :raises SandboxUnavailable:
    """
    _request("PUT", f"/client/jobs/{job_id}", json={"Job_status": status})


def pay(job_id: str, *, reference: str, amount: str) -> None:
    """
    :raises SandboxUnavailable:
    """
    payment = {"reference": reference, "amount": amount, "currency": "GBP"}
    _request("POST", f"/jobs/{job_id}/payments", json=payment)


def _request(method: str, path: str, **options: Any) -> requests.Response:
    # Only ever this machine: a demo runs nowhere else.
    url = f"http://127.0.0.1:{settings.PORT}{path}"
    key = settings.SANDBOX_KEY
    try:
        response = requests.request(
            method,
            url,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            headers={"Authorization": f"Api-Key {key}"} if key else {},
            **options,
        )
        response.raise_for_status()
    except requests.RequestException as error:
        hint = "PORT says where"
        if error.response is not None and error.response.status_code in {401, 403}:
            hint = "SANDBOX_KEY"
        reason = f"{method} {url} failed: {type(error).__name__} ({hint})"
        raise SandboxUnavailable(reason) from error
    return response
