import logging
import random
from collections.abc import Callable

from celery import shared_task
from django.utils import timezone

from repairjobs import errands, simulation
from repairjobs.client import ClientUnavailable
from repairjobs.models import ErrandKind
from repairjobs.sandbox_api import SandboxUnavailable
from repairjobs.services import collecting, following

logger = logging.getLogger(__name__)


@shared_task(throws=(ClientUnavailable,))
def collect_jobs() -> None:
    """Take over the client's NEW jobs; the next tick is the retry."""
    _look("Collected", collecting.collect_jobs)


@shared_task(throws=(ClientUnavailable,))
def sweep_jobs() -> None:
    """Look for NEW jobs in another stretch of the client's whole table."""
    _look("Swept up", collecting.sweep_jobs)


@shared_task(throws=(ClientUnavailable,))
def follow_jobs() -> None:
    """See what became of the jobs under way."""
    _look("Followed", following.follow_jobs)


@shared_task(throws=(SandboxUnavailable,))
def simulate_client() -> None:
    """Let something happen in the demo's repair shop; the next tick is the retry."""
    try:
        simulation.simulate_client(chance=random.Random())
    except SandboxUnavailable as error:
        logger.error("Simulation stopped: %s", error)
        raise


@shared_task
def run_errands(kind: str) -> None:
    """Work off what is owed of a kind and due."""
    tried = errands.run_errands(ErrandKind(kind), clock=timezone.now)
    if tried:
        logger.info("Ran errands: kind=%s tried=%d", kind, tried)


def _look(what: str, step: Callable[..., int]) -> None:
    try:
        count = step(at=timezone.now())
    except ClientUnavailable as error:
        logger.error("Stopped, the next run carries on: %s", error)
        raise
    if count:
        logger.info("%s jobs: %d", what, count)
