from common.celery_tasks import register_tasks
from repairjobs.scheduled import SCHEDULED_JOBS

register_tasks("repairjobs", SCHEDULED_JOBS)
