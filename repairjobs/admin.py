from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from config.admin import ReadOnlyAdmin
from repairjobs.masking import masked, masked_number
from repairjobs.models import (
    Collection,
    DeliveryReport,
    Errand,
    Job,
    JobTransaction,
    OptOut,
    Part,
    Payment,
    Sms,
)
from repairjobs.services import jobs, texting


class PersonalAdmin(ReadOnlyAdmin):
    """Rows about customers, masked but for those who may see personal data."""

    # Each field that holds such data, with what is shown instead.
    personal: ClassVar[Mapping[str, Callable[[str | None], str]]]

    def __init_subclass__(cls) -> None:
        for name, mask in cls.personal.items():
            setattr(cls, f"masked_{name}", _column(name, mask))

    def get_list_display(self, request: HttpRequest) -> list[str]:
        return self._shown(super().get_list_display(request), request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self._shown(super().get_fields(request, obj), request)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        searched = super().get_search_fields(request)
        return [name for name in searched if _is_open(request) or name not in self.personal]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        # A filter in the address would tell by its results what the page hides.
        is_personal = lookup.partition("__")[0] in self.personal
        if is_personal and not _is_open(request):
            return False
        return bool(super().lookup_allowed(lookup, value, request))

    def _shown(self, names: Iterable[str], request: HttpRequest) -> list[str]:
        is_open = _is_open(request)
        return [
            f"masked_{name}" if name in self.personal and not is_open else name for name in names
        ]


def _is_open(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("repairjobs.view_personal_data"))


def _column(name: str, mask: Callable[[str | None], str]) -> Callable[..., str]:
    @admin.display(description=name)
    def column(self: PersonalAdmin, row: Model) -> str:
        return mask(getattr(row, name))

    return column


@admin.register(Job)
class JobAdmin(PersonalAdmin):
    personal = {
        "firstname": masked,
        "lastname": masked,
        "postcode": masked,
        "mobile": masked_number,
    }
    list_display = ["job_id", "status", "type", "collected_at", "paid_at", "closed_at"]
    list_filter = ["status", "is_held", "is_missing"]
    search_fields = ["=job_id", "lastname", "postcode", "mobile"]
    date_hierarchy = "collected_at"
    ordering = ["-collected_at", "-job_id"]


@admin.register(JobTransaction)
class JobTransactionAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "status", "created_at", "note"]
    search_fields = ["=job__job_id", "note"]
    date_hierarchy = "created_at"
    ordering = ["-pk"]


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = ["reference", "job_id", "amount", "currency", "received_at"]
    search_fields = ["=reference", "=job__job_id"]
    ordering = ["-pk"]


@admin.register(Part)
class PartAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "part_number", "name", "quantity", "status"]
    list_filter = ["status"]
    search_fields = ["=part_number", "=job__job_id", "name"]
    ordering = ["-pk"]


@admin.register(Sms)
class SmsAdmin(PersonalAdmin):
    personal = {"sender": masked_number, "recipient": masked_number, "text": masked}
    list_display = ["job_id", "kind", "state", "recipient", "segments", "attempted_at", "reason"]
    list_filter = ["state", "kind"]
    search_fields = ["=job__job_id", "recipient", "=reference", "=message_uuid"]
    ordering = ["-pk"]
    actions = ["settle_as_sent", "send_again"]

    @admin.action(permissions=["settle"], description="Settle unknown ones: it was sent")
    def settle_as_sent(self, request: HttpRequest, queryset: QuerySet[Sms]) -> None:
        self._settle(request, queryset, was_sent=True)

    @admin.action(
        permissions=["settle"], description="Settle unknown ones: it was not sent, send it now"
    )
    def send_again(self, request: HttpRequest, queryset: QuerySet[Sms]) -> None:
        self._settle(request, queryset, was_sent=False)

    def _settle(self, request: HttpRequest, queryset: QuerySet[Sms], *, was_sent: bool) -> None:
        settled = sum(
            texting.settle_sms(sms, was_sent=was_sent, at=timezone.now()) for sms in queryset
        )
        self.message_user(request, f"Settled {settled} SMS.", messages.SUCCESS)


@admin.register(Errand)
class ErrandAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "kind", "subject", "due_at", "attempts", "last_error"]
    list_filter = ["kind", ("due_at", admin.EmptyFieldListFilter)]
    search_fields = ["=job__job_id", "last_error"]
    ordering = ["due_at"]
    actions = ["retry"]

    @admin.action(permissions=["settle"], description="Try again now")
    def retry(self, request: HttpRequest, queryset: QuerySet[Errand]) -> None:
        tried = sum(jobs.retry_errand(errand, at=timezone.now()) for errand in queryset)
        self.message_user(request, f"{tried} errands are due now.", messages.SUCCESS)


@admin.register(DeliveryReport)
class DeliveryReportAdmin(ReadOnlyAdmin):
    list_display = ["message_uuid", "status", "reason", "received_at"]
    search_fields = ["=message_uuid", "=reference"]
    ordering = ["-pk"]


@admin.register(OptOut)
class OptOutAdmin(PersonalAdmin):
    personal = {"number": masked_number}
    list_display = ["number", "since"]
    search_fields = ["number"]
    ordering = ["-pk"]


@admin.register(Collection)
class CollectionAdmin(ReadOnlyAdmin):
    list_display = ["watermark", "swept_to", "is_live", "completed_at"]
