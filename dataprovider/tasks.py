from common.celery_tasks import register_tasks
from dataprovider.scheduled import SCHEDULED_JOBS

register_tasks("dataprovider", SCHEDULED_JOBS)
