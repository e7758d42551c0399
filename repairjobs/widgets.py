"""The widgets of the admin's overview: attention, jobs under way, dead letters and SMS."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.urls import reverse

from common.widgets import CanView, Chart, StatTile, Widget
from repairjobs.integrations.documents import document_store
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.models import Job, JobStatus, OutboxTask, Sms, SmsState

# Rows are counted only up to this number, so that counting stays fast.
MAX_COUNTED = 1_000
SMS_DAYS = timedelta(days=30)


def widgets(*, can_view: CanView, at: datetime) -> Iterator[Widget]:
    if can_view("job"):
        yield _attention()
        yield _jobs(by_status := Job.objects.under_way().count_by_status())
    if can_view("outboxtask"):
        yield _dead_letters()
    if can_view("sms"):
        yield _unknown_sms()
    if can_view("job"):
        yield _chart("Jobs under way, by status", "Jobs", by_status, JobStatus.values[:-1])
    if can_view("sms"):
        by_state = Sms.objects.count_by_state(since=at - SMS_DAYS)
        yield _chart(
            f"SMS of the last {SMS_DAYS.days} days, by state", "SMS", by_state, SmsState.values
        )


def _attention() -> StatTile:
    title, link = "Needs attention", f"{_list('job')}?attention=yes"
    try:
        count = document_store().count_attention(limit=MAX_COUNTED)
    except DocumentsUnavailable:
        return StatTile(title, "–", "the document database is unavailable", is_alarm=True)
    note = "jobs that a person must check"
    return StatTile(title, _format_count(count), note, link=link, is_alarm=count > 0)


def _jobs(by_status: dict[str, int]) -> StatTile:
    new = by_status.get(JobStatus.NEW, 0)
    link = f"{_list('job')}?under_way=yes"
    note = f"{new:,} with status {JobStatus.NEW}"
    return StatTile("Jobs under way", f"{sum(by_status.values()):,}", note, link=link)


def _dead_letters() -> StatTile:
    count = OutboxTask.objects.dead_letters()[:MAX_COUNTED].count()
    link = f"{_list('outboxtask')}?due_at__isempty=1"
    note = "outbox tasks that failed too often"
    return StatTile("Dead letters", _format_count(count), note, link=link, is_alarm=count > 0)


def _unknown_sms() -> StatTile:
    count = Sms.objects.unknown()[:MAX_COUNTED].count()
    link = f"{_list('sms')}?state__exact={SmsState.UNKNOWN}"
    note = "SMS that were perhaps sent"
    return StatTile("Unknown SMS", _format_count(count), note, link=link, is_alarm=count > 0)


def _chart(title: str, series: str, counts: dict[str, int], known: list[str]) -> Chart:
    labels = [*known, *sorted(counts.keys() - set(known))]
    return Chart(title, labels, {series: [counts.get(label, 0) for label in labels]})


def _list(model: str) -> str:
    return reverse(f"admin:repairjobs_{model}_changelist")


def _format_count(count: int) -> str:
    return f"{count:,}" if count < MAX_COUNTED else f"{MAX_COUNTED:,} or more"
