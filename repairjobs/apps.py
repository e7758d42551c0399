from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db.models.signals import pre_migrate

from common.service import AdminPage, Freshness, ServiceConfig
from common.widgets import CanView, Widget


class RepairJobsConfig(ServiceConfig):
    default = True
    name = "repairjobs"
    verbose_name = "Repair jobs"
    summary = "Imports a client's repair jobs, texts the customers and writes statuses back."
    links = [
        ("Jobs", "/jobs"),
        ("Jobs that need attention", "/jobs?attention=true"),
        ("Ledger", "/transactions"),
        ("API", "/docs/repairjobs"),
    ]
    commands = [("List the jobs that need attention", "'{url}/jobs?attention=true'")]
    parameter_examples = {"job_id": 1, "part_id": 1}
    personal_data_permission = "repairjobs.view_personal_data"
    admin_pages = [
        AdminPage("job", "build"),
        AdminPage("sms", "sms"),
        AdminPage("outboxtask", "outbox"),
        AdminPage("jobtransaction", "list_alt"),
        AdminPage("payment", "payments"),
        AdminPage("part", "settings"),
        AdminPage("deliveryreceipt", "mark_chat_read"),
        AdminPage("optout", "block"),
        AdminPage("acknowledgement", "task_alt"),
        AdminPage("importcursor", "sync"),
    ]

    def ready(self) -> None:
        from repairjobs import checks  # noqa: F401 (it registers its checks)

        super().ready()
        pre_migrate.connect(forbid_client_migrations, sender=self)

    def freshness(self) -> Freshness:
        from repairjobs.models import ImportCursor, Job

        return {
            "Last import of new jobs": ImportCursor.objects.current().completed_at,
            "Jobs under way": Job.objects.under_way().count(),
        }

    def admin_widgets(self, *, can_view: CanView, at: datetime) -> Iterable[Widget]:
        from repairjobs.widgets import widgets

        return widgets(can_view=can_view, at=at)

    def health_checks(self) -> Mapping[str, bool]:
        from repairjobs.integrations.documents import document_store
        from repairjobs.integrations.documents.base import DocumentsUnavailable

        if not settings.MONGO_URL:
            return {}
        try:
            document_store().ping()
        except DocumentsUnavailable:
            return {"documents": False}
        return {"documents": True}

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        from repairjobs.models import Job, OutboxTask, Sms

        return {
            "repairjobs_under_way": ("Jobs under way.", float(Job.objects.under_way().count())),
            "repairjobs_outbox_pending": (
                "Outbox tasks that are not done, including dead letters.",
                float(OutboxTask.objects.count()),
            ),
            "repairjobs_dead_letters": (
                "Outbox tasks that failed too often.",
                float(OutboxTask.objects.dead_letters().count()),
            ),
            "repairjobs_unknown_sms": (
                "SMS that were perhaps sent.",
                float(Sms.objects.unknown().count()),
            ),
        }


def forbid_client_migrations(using: str, plan: Sequence[Any], **rest: Any) -> None:
    """Reject migrations of the client's database. They would create ``django_migrations`` there."""
    if using in settings.FOREIGN_DATABASES and plan:
        raise CommandError(
            f"The database {using!r} belongs to the client and must not be migrated. "
            "Use migrate_databases for our own."
        )
