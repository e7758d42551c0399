import logging
import random

from celery import shared_task
from django.utils import timezone

from dataprovider import services
from dataprovider.events_api import EventsUnavailable
from dataprovider.hotel import DEMO_HOTELS

logger = logging.getLogger(__name__)


@shared_task(throws=(EventsUnavailable,))
def simulate_events() -> None:
    """Let something happen in one of the demo hotels; the next tick is the retry."""
    chance = random.Random()
    hotel_id = chance.choice(DEMO_HOTELS)
    try:
        reported = services.simulate_events(hotel_id=hotel_id, at=timezone.now(), chance=chance)
    except EventsUnavailable as error:
        logger.error("Simulation stopped: %s", error)
        raise
    if reported:
        logger.info("Simulated events: hotel=%d reported=%d", hotel_id, reported)
