from common.celery_tasks import register_tasks
from dashboard.scheduled import SCHEDULED_JOBS

register_tasks("dashboard", SCHEDULED_JOBS)
