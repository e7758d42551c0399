"""A made-up repair shop, for the demo."""

import random
from decimal import Decimal

from django.conf import settings

from repairjobs.integrations import sandbox_api
from repairjobs.models import JobStatus

PRODUCTS = ["Washing machine", "Dishwasher", "Kettle", "Fridge", "Oven", "Vacuum cleaner"]
TYPES = ["REPAIR", "WARRANTY", "INSPECTION"]
BAD_NUMBERS = ["", "none", "12"]
NEW_SPELLINGS = ["NEW", "NEW", "NEW", "New", " new "]
BAD_SHARE, EARLY_SHARE = 0.1, 0.2
MAX_UNDER_WAY = 30


class NoDemo(Exception):
    """There is a real client, or real people are texted: nothing is made up here."""


def make_up_job(rng: random.Random) -> dict[str, str]:
    """A new row of the client's; every number is one that belongs to nobody."""
    number = f"07700 900{rng.randint(0, 999):03}"
    product = rng.choice(PRODUCTS)
    return {
        "Job_type": rng.choice(TYPES),
        "Job_status": rng.choice(NEW_SPELLINGS),
        "Client_firstname": "Test",
        "Client_lastname": "Customer",
        "Client_postcode": f"AB{rng.randint(1, 39)} {rng.randint(1, 9)}CD",
        "Client_mobile": rng.choice(BAD_NUMBERS) if rng.random() < BAD_SHARE else number,
        "Product_id": f"{product[:2].upper()}-{rng.randint(100, 999)}",
        "Product_type": product,
    }


def price(job_id: int) -> Decimal:
    """What a repair costs. It is the job's own: a payment that comes again is the same one."""
    return Decimal(random.Random(job_id).randint(20, 300)).quantize(Decimal("0.01"))


def simulate_client(*, rng: random.Random) -> None:
    """Let a customer come, and some work go on, over HTTP.

    :raises NoDemo: where people could be texted, or a real client be written to.
    :raises RemoteServiceUnavailable:
    """
    if settings.IS_LIVE:
        raise NoDemo("There is a real client, or SMS leave for real: nothing is made up here.")
    opened = sandbox_api.fetch_jobs(JobStatus.OPENED)
    at_work = sandbox_api.fetch_jobs(JobStatus.IN_PROGRESS)
    completed = [job for job in sandbox_api.fetch_jobs(JobStatus.COMPLETED) if not job["paid"]]
    if len(opened) + len(at_work) + len(completed) < MAX_UNDER_WAY:
        sandbox_api.add_client_job(**make_up_job(rng))
    if opened:
        _move(rng.choice(opened), JobStatus.IN_PROGRESS)
    if at_work:
        job = rng.choice(at_work)
        if rng.random() < EARLY_SHARE:
            _pay(job)
        _move(job, JobStatus.COMPLETED)
    if completed:
        _pay(rng.choice(completed))


def _move(job: dict[str, str], status: JobStatus) -> None:
    sandbox_api.set_client_status(job["job_id"], status)


def _pay(job: dict[str, str]) -> None:
    job_id = int(job["job_id"])
    sandbox_api.pay(job["job_id"], reference=f"DEMO-{job_id}", amount=f"{price(job_id)}")
