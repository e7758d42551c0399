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
    summary = "Carries repair jobs from a client's system to ours and texts the customers."
    links = [
        ("Jobs", "/jobs"),
        ("Jobs that a person must look at", "/jobs?attention=true"),
        ("Ledger", "/transactions"),
        ("API", "/docs/repairjobs"),
    ]
    commands = [("List the jobs that a person must look at", "'{url}/jobs?attention=true'")]
    parameter_examples = {"job_id": 1, "part_id": 1}
    personal_data_permission = "repairjobs.view_personal_data"
    admin_pages = [
        AdminPage("job", "build"),
        AdminPage("sms", "sms"),
        AdminPage("errand", "outbox"),
        AdminPage("jobtransaction", "list_alt"),
        AdminPage("payment", "payments"),
        AdminPage("part", "settings"),
        AdminPage("deliveryreport", "mark_chat_read"),
        AdminPage("optout", "block"),
        AdminPage("acknowledgement", "task_alt"),
        AdminPage("collection", "sync"),
    ]

    def ready(self) -> None:
        from repairjobs import checks  # noqa: F401 (registers itself)

        super().ready()
        pre_migrate.connect(spare_the_client, sender=self)

    def freshness(self) -> Freshness:
        from repairjobs.models import Collection, Job

        return {
            "Last look for new jobs": Collection.objects.current().completed_at,
            "Jobs under way": Job.objects.under_way().count(),
        }

    def admin_widgets(self, *, can_view: CanView, at: datetime) -> Iterable[Widget]:
        from repairjobs.cards import cards

        return cards(can_view=can_view, at=at)

    def health_checks(self) -> Mapping[str, bool]:
        from repairjobs.documents import DocumentsUnavailable, documents

        if not settings.MONGO_URL:
            return {}
        try:
            documents().ping()
        except DocumentsUnavailable:
            return {"documents": False}
        return {"documents": True}

    def gauges(self) -> Mapping[str, tuple[str, float]]:
        from repairjobs.models import Errand, Job, Sms, SmsState

        unknown = Sms.objects.filter(state=SmsState.UNKNOWN)
        return {
            "repairjobs_under_way": ("Jobs under way.", float(Job.objects.under_way().count())),
            "repairjobs_owed": ("Errands not done yet.", float(Errand.objects.count())),
            "repairjobs_quarantined": (
                "Errands that were given up for now.",
                float(Errand.objects.quarantined().count()),
            ),
            "repairjobs_unknown_sms": (
                "SMS that may have been sent, or not.",
                float(unknown.count()),
            ),
        }


def spare_the_client(using: str, plan: Sequence[Any], **rest: Any) -> None:
    """Stop a migration of the client's database, which would get our ``django_migrations``."""
    if using in settings.FOREIGN_DATABASES and plan:
        raise CommandError(
            f"The database {using!r} is the client's, and nothing is migrated there; "
            "migrate_databases migrates ours."
        )
