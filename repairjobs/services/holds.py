"""Jobs on hold: NEW jobs of the first import that wait until a person releases them."""

from collections.abc import Callable
from datetime import datetime

from common.db.transactions import atomic_with_retry
from repairjobs.models import Job
from repairjobs.services.workflow import JobEvent, advance

Progress = Callable[[int], object]


def release_held_jobs(*, text: bool, at: datetime, progress: Progress = lambda done: None) -> int:
    """Release the jobs on hold: text their customers, or open them without a text.

    Return the number of released jobs. Call ``progress`` with 1 for each job.
    """
    released = 0
    for job_id in Job.objects.on_hold().ids():
        released += release(job_id, text=text, at=at)
        progress(1)
    return released


@atomic_with_retry(using="repairjobs")
def release(job_id: int, *, text: bool, at: datetime) -> bool:
    """Release a job. Return False if it is not on hold."""
    job = Job.objects.locked(job_id)
    if not job.is_on_hold:
        return False
    job.is_on_hold = False
    advance(job, JobEvent.RELEASED if text else JobEvent.RELEASED_SILENTLY, at=at)
    return True
