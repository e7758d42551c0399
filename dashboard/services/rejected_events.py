import json
from datetime import datetime
from enum import StrEnum

from django.db import transaction

from dashboard.integrations.data_provider import parse_items
from dashboard.models import Ingestion, RejectedEvent
from dashboard.services.bulk_insert import find_stored
from dashboard.services.ingestion import store_pages


class RetryOutcome(StrEnum):
    STORED = "stored and counted"
    KNOWN = "already stored"
    REJECTED = "rejected again"
    GONE = "no longer rejected"


@transaction.atomic(using="dashboard")
def retry_rejected_event(rejected: RejectedEvent, *, at: datetime) -> RetryOutcome:
    """Process a rejected event as if the provider had just reported it.

    It is stored and counted once, or rejected again with the current reason.
    """
    Ingestion.objects.locked()
    deleted, _ = RejectedEvent.objects.filter(pk=rejected.pk).delete()
    if not deleted:
        return RetryOutcome.GONE
    page = parse_items([json.loads(rejected.content)])
    if store_pages([page], at=at).stored:
        return RetryOutcome.STORED
    stored = find_stored([event.id for event in page.events]) if page.events else {}
    is_known = bool(stored) and list(stored.values()) == page.events
    return RetryOutcome.KNOWN if is_known else RetryOutcome.REJECTED
