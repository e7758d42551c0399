"""A simulated repair shop that works over HTTP, for the demo."""

import random
from decimal import Decimal
from typing import Any

from django.conf import settings

from repairjobs.integrations import sandbox_api
from repairjobs.models import JobStatus

PRODUCTS = ["Washing machine", "Dishwasher", "Kettle", "Fridge", "Oven", "Vacuum cleaner"]
TYPES = ["REPAIR", "WARRANTY", "INSPECTION"]
INVALID_NUMBERS = ["", "none", "12"]
NEW_SPELLINGS = ["NEW", "NEW", "NEW", "New", " new "]
INVALID_NUMBER_SHARE, EARLY_PAYMENT_SHARE = 0.1, 0.2
MAX_UNDER_WAY = 30


class DemoForbidden(Exception):
    """The client or the SMS are real, so nothing may be simulated."""

    def __init__(self) -> None:
        super().__init__("The client or the SMS are real. Nothing is simulated.")


def draw_job(rng: random.Random) -> dict[str, str]:
    """Return a random new row of the client's table, by its column names.

    All phone numbers are from a range that is reserved for fiction.
    """
    number = f"07700 900{rng.randint(0, 999):03}"
    product = rng.choice(PRODUCTS)
    return {
        "Job_type": rng.choice(TYPES),
        "Job_status": rng.choice(NEW_SPELLINGS),
        "Client_firstname": "Test",
        "Client_lastname": "Customer",
        "Client_postcode": f"AB{rng.randint(1, 39)} {rng.randint(1, 9)}CD",
        "Client_mobile": (
            rng.choice(INVALID_NUMBERS) if rng.random() < INVALID_NUMBER_SHARE else number
        ),
        "Product_id": f"{product[:2].upper()}-{rng.randint(100, 999)}",
        "Product_type": product,
    }


def price_of(job_id: int) -> Decimal:
    """Return the price of a job's repair. It is always the same, so payments can be repeated."""
    return Decimal(random.Random(job_id).randint(20, 300)).quantize(Decimal("0.01"))


def simulate_client(*, rng: random.Random) -> None:
    """Add a job at the client, and advance some of the jobs under way, over HTTP.

    :raises DemoForbidden: if the client or the SMS are real.
    :raises RemoteServiceUnavailable:
    """
    if settings.IS_LIVE:
        raise DemoForbidden
    opened = sandbox_api.fetch_jobs(JobStatus.OPENED)
    in_progress = sandbox_api.fetch_jobs(JobStatus.IN_PROGRESS)
    unpaid = [job for job in sandbox_api.fetch_jobs(JobStatus.COMPLETED) if not job["paid"]]
    if len(opened) + len(in_progress) + len(unpaid) < MAX_UNDER_WAY:
        sandbox_api.add_client_job(**draw_job(rng))
    if opened:
        _set_status(rng.choice(opened), JobStatus.IN_PROGRESS)
    if in_progress:
        job = rng.choice(in_progress)
        if rng.random() < EARLY_PAYMENT_SHARE:
            _pay(job)
        _set_status(job, JobStatus.COMPLETED)
    if unpaid:
        _pay(rng.choice(unpaid))


def _set_status(job: dict[str, Any], status: JobStatus) -> None:
    sandbox_api.set_client_status(job["job_id"], status)


def _pay(job: dict[str, Any]) -> None:
    job_id = int(job["job_id"])
    sandbox_api.pay(job["job_id"], reference=f"DEMO-{job_id}", amount=f"{price_of(job_id)}")
