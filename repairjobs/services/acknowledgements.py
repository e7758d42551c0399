"""Flags that a person has seen."""

from collections.abc import Collection
from datetime import datetime

from common.db.transactions import atomic_with_retry
from repairjobs.models import Acknowledgement, Job
from repairjobs.services.attention import unseen_flags
from repairjobs.services.workflow import JobEvent, advance


@atomic_with_retry(using="repairjobs")
def acknowledge(*, job_id: int, keys: Collection[str], at: datetime) -> int:
    """Mark these flags of a job as seen, by their keys. Return how many were new.

    :raises UnknownJob:
    """
    job = Job.objects.locked(job_id)
    new_flags = [flag for flag in unseen_flags(job) if flag.key in keys]
    Acknowledgement.objects.bulk_create(
        Acknowledgement(job=job, flag=flag.key, text=flag.text[:600], acknowledged_at=at)
        for flag in new_flags
    )
    for flag in new_flags:
        advance(job, JobEvent.FLAG_SEEN, at=at, flag=flag.text)
    return len(new_flags)
