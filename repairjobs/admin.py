import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import action as page_action

from common.admin import (
    Eligibility,
    ReadOnlyAdmin,
    StrictChoiceFilter,
    log_change,
    requires_confirmation,
)
from repairjobs.admin_job_page import build_job_page
from repairjobs.admin_personal_data import (
    PersonalDataAdmin,
    PhoneNumberAdmin,
    sees_personal_data,
)
from repairjobs.integrations.documents import document_store
from repairjobs.integrations.documents.base import DocumentsUnavailable
from repairjobs.integrations.phone_numbers import national_digits
from repairjobs.models import (
    Acknowledgement,
    DeliveryReceipt,
    ImportCursor,
    Job,
    JobStatus,
    JobTransaction,
    OptOut,
    OutboxTask,
    Part,
    Payment,
    Sms,
    SmsState,
)
from repairjobs.services import acknowledgements, sms_delivery
from repairjobs.services.attention import Flag, unseen_flags
from repairjobs.services.masking import mask, mask_number
from repairjobs.services.outbox.runner import retry_task

# The shortest phone number with an area code, without 0, +44 or 0044.
MIN_DIGITS = 9
# Letters and digits, at least one of each. A job id has no letters, a name has no digits.
POSTCODE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9]{2,10}")
# The filter "Needs attention" shows at most this many jobs. The API lists all of them.
MAX_FLAGGED = 1_000


class AttentionFilter(StrictChoiceFilter):
    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Needs attention")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        if not self.value():
            return queryset
        try:
            documents = document_store().find(
                status=None, attention=True, after=None, limit=MAX_FLAGGED
            )
        except DocumentsUnavailable:
            messages.error(
                request,
                "The document database is unavailable. "
                "The jobs that need attention cannot be listed.",
            )
            return queryset.none()
        return queryset.filter(pk__in=[int(document["job_id"]) for document in documents])


class UnderWayFilter(StrictChoiceFilter):
    title = "progress"
    parameter_name = "under_way"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Under way")]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Job]:
        jobs: QuerySet[Job] = queryset.under_way() if self.value() else queryset
        return jobs


class StatusFilter(admin.SimpleListFilter):
    """The known statuses. Django's own filter would read the status of every job."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, status.value) for status in JobStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(status=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(PersonalDataAdmin):
    masks = {
        "firstname": mask,
        "lastname": mask,
        "postcode": mask,
        "mobile": mask_number,
    }
    # Two per line: with three, long values would wrap within a word.
    fields = [
        ("job_id", "status"),
        ("firstname", "lastname"),
        ("postcode", "mobile"),
        ("product_id", "product_type"),
        ("type", "imported_at"),
        ("paid_at", "closed_at"),
        ("is_in_client_database", "automatic_sms"),
    ]
    readonly_fields = ["is_in_client_database", "automatic_sms"]
    list_display = [
        *("job_id", "status", "lastname", "postcode", "product_type"),
        *("imported_at", "paid_at"),
    ]
    list_filter = [UnderWayFilter, StatusFilter, AttentionFilter]
    search_fields = ["=job_id", "firstname", "lastname", "postcode", "mobile"]
    search_help_text = "Job id, name, postcode or phone number"
    date_hierarchy = "imported_at"
    ordering = ["-imported_at", "-job_id"]
    change_form_outer_after_template = "repairjobs/admin/job.html"
    actions_detail = ["acknowledge"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        jobs, _ = super().get_search_results(request, queryset, search_term)
        if sees_personal_data(request):
            for name, pattern in _search_patterns(search_term):
                jobs |= queryset.filter(**{f"{name}__iregex": pattern})
        return jobs, False

    @admin.display(description="In the client's database")
    def is_in_client_database(self, job: Job) -> str:
        return "no" if job.is_missing else "yes"

    @admin.display(description="Automatic SMS")
    def automatic_sms(self, job: Job) -> str:
        return "on hold until manage.py adopt_jobs releases the job" if job.is_on_hold else "on"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        job = self.get_object(request, object_id)
        context = extra_context or {}
        has_unseen_flags = False
        if job and self.has_view_permission(request, job):
            page = build_job_page(
                job,
                is_unmasked=sees_personal_data(request),
                can_view=partial(_can_view, request),
            )
            context = context | page._asdict()
            has_unseen_flags = bool(page.unseen_flags)
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        if isinstance(response, TemplateResponse) and not has_unseen_flags:
            # Hide the button "Mark as seen".
            response.context_data = (response.context_data or {}) | {"actions_detail": []}
        return response

    @page_action(  # type: ignore[untyped-decorator]
        description="Mark as seen", permissions=["resolve"], icon="task_alt"
    )
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the job's unseen flags. After a confirmation, mark the shown flags as seen."""
        page_url = reverse("admin:repairjobs_job_change", args=[object_id])
        job = self.get_object(request, object_id)
        if job is None:
            return HttpResponseRedirect(reverse("admin:repairjobs_job_changelist"))
        if request.method == "POST":
            keys = request.POST.getlist("flag")
            count = acknowledgements.acknowledge(job_id=job.pk, keys=keys, at=timezone.now())
            message = f"Flags marked as seen: {count}."
            if count:
                log_change(request, job, message)
            self.message_user(request, message, messages.SUCCESS)
            return HttpResponseRedirect(page_url)
        unseen = unseen_flags(job)
        if not unseen:
            self.message_user(request, "This job has no unseen flags.", messages.INFO)
            return HttpResponseRedirect(page_url)
        return self._confirmation_page(request, job, unseen)

    def _confirmation_page(
        self, request: HttpRequest, job: Job, unseen: list[Flag]
    ) -> TemplateResponse:
        context = self.admin_site.each_context(request) | {
            "title": f"Mark these flags of {job} as seen?",
            "opts": self.opts,
            "row_names": [flag.text for flag in unseen],
            "hidden_fields": [("flag", flag.key) for flag in unseen],
            "back_url": reverse("admin:repairjobs_job_change", args=[job.pk]),
        }
        return TemplateResponse(request, "common/admin/confirm.html", context)


def _search_patterns(term: str) -> Iterator[tuple[str, str]]:
    """Yield column names with patterns that find postcodes and numbers in any usual format."""
    packed = "".join(term.split())
    if POSTCODE.fullmatch(packed):
        yield "postcode", " *".join(packed)
    # Fewer digits may be a job id.
    if (digits := national_digits(term)) and len(digits) >= MIN_DIGITS:
        yield "mobile", "[^0-9]*".join(digits)


def _can_view(request: HttpRequest, model: str) -> bool:
    return bool(request.user.has_perm(f"repairjobs.view_{model}"))


class NoteFilter(admin.SimpleListFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("GET", "GET"), ("PUT", "PUT"), ("EVENT", "EVENT")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[JobTransaction]
    ) -> QuerySet[JobTransaction]:
        kind = self.value()
        return queryset.filter(note__startswith=kind) if kind else queryset


@admin.register(JobTransaction)
class JobTransactionAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "status", "created_at", "note"]
    list_filter = [NoteFilter]
    search_fields = ["=job"]
    search_help_text = "Job id"
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    fields = ["reference", "job", "amount", "currency", "received_at"]
    readonly_fields = ["amount"]
    list_display = ["reference", "job_id", "amount", "currency", "received_at"]
    search_fields = ["=reference", "=job"]
    search_help_text = "Reference or job id"
    date_hierarchy = "received_at"
    ordering = ["-received_at", "-id"]


@admin.register(Part)
class PartAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "part_number", "name", "quantity", "status"]
    list_filter = ["status"]
    search_fields = ["=job", "=part_number", "name"]
    search_help_text = "Job id, part number or name"
    ordering = ["-pk"]


UNKNOWN_SMS = Eligibility(Q(state=SmsState.UNKNOWN), "SMS whose outcome is unknown")


@admin.register(Sms)
class SmsAdmin(PhoneNumberAdmin, PersonalDataAdmin):
    masks = {"sender": mask_number, "recipient": mask_number, "text": mask}
    exclude = ["idempotency_key"]
    list_display = ["job_id", "kind", "state", "recipient", "segments", "created_at", "reason"]
    list_filter = ["state", "kind"]
    search_fields = ["=job", "=recipient", "=reference", "=message_uuid"]
    search_help_text = "Job id, phone number or reference"
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    actions = ["resolve_as_sent", "send_again"]

    @admin.action(permissions=["resolve"], description="Mark unknown SMS as sent")
    @requires_confirmation("Mark these SMS as sent?", about=UNKNOWN_SMS)
    def resolve_as_sent(self, request: HttpRequest, queryset: QuerySet[Sms]) -> None:
        self._resolve(request, queryset, was_sent=True)

    @admin.action(permissions=["resolve"], description="Send unknown SMS again")
    @requires_confirmation("Send these SMS now? (Only if they were not sent.)", about=UNKNOWN_SMS)
    def send_again(self, request: HttpRequest, queryset: QuerySet[Sms]) -> None:
        self._resolve(request, queryset, was_sent=False)

    def _resolve(self, request: HttpRequest, queryset: Any, *, was_sent: bool) -> None:
        count = 0
        for sms in queryset.unknown():
            if sms_delivery.resolve_sms(sms, was_sent=was_sent, at=timezone.now()):
                log_change(request, sms, "Marked as sent." if was_sent else "Sent again.")
                count += 1
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"SMS resolved: {count}.", level)


@admin.register(OutboxTask)
class OutboxTaskAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "kind", "subject", "due_at", "attempts", "last_error"]
    list_filter = ["kind", ("due_at", admin.EmptyFieldListFilter)]
    search_fields = ["=job", "last_error"]
    search_help_text = "Job id or error"
    ordering = ["due_at"]
    actions = ["retry"]

    @admin.action(permissions=["resolve"], description="Retry now")
    @requires_confirmation("Retry these tasks now?")
    def retry(self, request: HttpRequest, queryset: QuerySet[OutboxTask]) -> None:
        count = 0
        for task in queryset:
            if retry_task(task, at=timezone.now()):
                log_change(request, task, "Due now, with no attempts used.")
                count += 1
        self.message_user(request, f"Tasks that are due now: {count}.", messages.SUCCESS)


@admin.register(Acknowledgement)
class AcknowledgementAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "text", "acknowledged_at"]
    search_fields = ["=job"]
    search_help_text = "Job id"
    ordering = ["-pk"]


@admin.register(DeliveryReceipt)
class DeliveryReceiptAdmin(ReadOnlyAdmin):
    list_display = ["message_uuid", "status", "state", "reason", "received_at"]
    search_fields = ["=message_uuid", "=reference"]
    ordering = ["-pk"]


@admin.register(OptOut)
class OptOutAdmin(PhoneNumberAdmin, PersonalDataAdmin):
    masks = {"number": mask_number}
    list_display = ["number", "since"]
    search_fields = ["=number"]
    ordering = ["-pk"]


@admin.register(ImportCursor)
class ImportCursorAdmin(ReadOnlyAdmin):
    list_display = ["watermark", "scan_position", "is_live", "completed_at"]
