import logging

from celery import shared_task
from django.utils import timezone

from dashboard import services
from dashboard.provider import ProviderUnavailable

logger = logging.getLogger(__name__)


@shared_task(throws=(ProviderUnavailable,))
def ingest_events() -> None:
    """Copy what the data provider has reported since the last run; the next tick is the retry."""
    try:
        done = services.ingest_events(at=timezone.now())
    except ProviderUnavailable as error:
        logger.error("Ingestion stopped, the next run carries on: %s", error)
        raise
    if done.is_turned_away:
        logger.info("Ingestion left to the run that is at work")
    elif done.stored or done.rejected:
        logger.info(
            "Ingested events: stored=%d known=%d rejected=%d",
            done.stored,
            done.known,
            done.rejected,
        )
