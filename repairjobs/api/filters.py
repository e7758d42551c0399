import django_filters

from config.api.strict import StrictField, StrictFilter
from repairjobs.models import JobStatus, PartStatus, plain_status


class PartStatusField(StrictField):
    def parse(self, text: str) -> str:
        return PartStatus(text).value


class PartStatusFilter(StrictFilter):
    field_class = PartStatusField
    allowed = "needed, ordered, received or fitted"
    schema = {"type": "string", "enum": PartStatus.values}


class PartFilter(django_filters.FilterSet):
    status = PartStatusFilter()


STATUS_TEXT = "NEW, OPENED, IN PROGRESS, JOB COMPLETED or CLOSED, in any case"
ATTENTION_TEXT = "true or false"


def parse_status(text: str) -> str:
    """
    :raises ValueError:
    """
    return JobStatus(plain_status(text)).value


def parse_attention(text: str) -> bool:
    """
    :raises ValueError:
    """
    return {"true": True, "false": False}[text]
