import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
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
from common.service import personal_data_permissions
from repairjobs.documents import DocumentsUnavailable, documents
from repairjobs.job_page import page_of
from repairjobs.masking import masked, masked_number
from repairjobs.models import (
    Acknowledgement,
    Collection,
    DeliveryReport,
    Errand,
    Job,
    JobStatus,
    JobTransaction,
    OptOut,
    Part,
    Payment,
    Sms,
    SmsState,
)
from repairjobs.rendering import unseen_flags
from repairjobs.services import jobs, texting
from repairjobs.sms import national, normalised

# Of a phone number with its area, but without 0, +44 or 0044.
MIN_DIGITS = 9
# Letters and digits, some of each: no number of a job, no name.
POSTCODE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9]{2,10}")
# A list of more jobs than these is for the API.
MAX_FLAGGED = 1_000


class PersonalAdmin(ReadOnlyAdmin):
    """Rows about customers, masked but for those who may see personal data."""

    # Each field that holds such data, with what is shown instead.
    personal: ClassVar[Mapping[str, Callable[[str | None], str]]]

    def __init_subclass__(cls) -> None:
        for name, mask in cls.personal.items():
            setattr(cls, f"masked_{name}", _column(name, mask))

    def get_list_display(self, request: HttpRequest) -> list[str]:
        return self._shown(super().get_list_display(request), request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[list[str]]:
        fields = super().get_fields(request, obj)
        return [
            self._shown(line, request) if isinstance(line, tuple) else self._shown([line], request)
            for line in fields
        ]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        searched = super().get_search_fields(request)
        if _is_open(request):
            return list(searched)
        return [name for name in searched if name.removeprefix("=") not in self.personal]

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
    return bool(request.user.has_perms(personal_data_permissions()))


def _column(name: str, mask: Callable[[str | None], str]) -> Callable[..., str]:
    @admin.display(description=name)
    def column(self: PersonalAdmin, row: Model) -> str:
        return mask(getattr(row, name))

    return column


class NumberAdmin(ReadOnlyAdmin):
    """Rows with phone numbers in E.164, to be found however a number is typed."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, _ = super().get_search_results(request, queryset, search_term)
        number = normalised(search_term)
        if number:
            found |= super().get_search_results(request, queryset, number)[0]
        return found, False


class AttentionFilter(StrictChoiceFilter):
    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Needs attention")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        if not self.value():
            return queryset
        try:
            found = documents().find(status=None, attention=True, after=None, limit=MAX_FLAGGED)
        except DocumentsUnavailable:
            messages.error(request, "The store of documents is away: nobody can tell.")
            return queryset.none()
        return queryset.filter(pk__in=[int(document["job_id"]) for document in found])


class UnderWayFilter(StrictChoiceFilter):
    title = "whether it is under way"
    parameter_name = "under_way"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Under way")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(closed_at=None) if self.value() else queryset


class StatusFilter(admin.SimpleListFilter):
    """The statuses that we know, without asking each job for its own."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(status.value, status.value) for status in JobStatus]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(status=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(PersonalAdmin):
    personal = {
        "firstname": masked,
        "lastname": masked,
        "postcode": masked,
        "mobile": masked_number,
    }
    # Two on a line: the value of a third breaks within its word.
    fields = [
        ("job_id", "status"),
        ("firstname", "lastname"),
        ("postcode", "mobile"),
        ("product_id", "product_type"),
        ("type", "collected_at"),
        ("paid_at", "closed_at"),
        ("clients_row", "texting"),
    ]
    readonly_fields = ["clients_row", "texting"]
    list_display = [
        *("job_id", "status", "lastname", "postcode", "product_type"),
        *("collected_at", "paid_at"),
    ]
    list_filter = [UnderWayFilter, StatusFilter, AttentionFilter]
    search_fields = ["=job_id", "firstname", "lastname", "postcode", "mobile"]
    search_help_text = "Number of a job; name, postcode, phone"
    date_hierarchy = "collected_at"
    ordering = ["-collected_at", "-job_id"]
    change_form_outer_after_template = "repairjobs/admin/job.html"
    actions_detail = ["acknowledge"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        found, _ = super().get_search_results(request, queryset, search_term)
        if _is_open(request):
            # The client's spelling is not the caller's: neither blanks nor a country code tell.
            for name, pattern in _spellings(search_term):
                found |= queryset.filter(**{f"{name}__iregex": pattern})
        return found, False

    @admin.display(description="Client's row")
    def clients_row(self, job: Job) -> str:
        return "has gone" if job.is_missing else "is there"

    @admin.display(description="Texting")
    def texting(self, job: Job) -> str:
        return "held until adopt_jobs decides" if job.is_held else "as its state makes due"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        job = self.get_object(request, object_id)
        shown = {}
        if job and self.has_view_permission(request, job):
            shown = page_of(job, is_open=_is_open(request), can_view=_can_view(request))
        context = (extra_context or {}) | shown
        answer: HttpResponse = super().change_view(request, object_id, form_url, context)
        if isinstance(answer, TemplateResponse) and not shown.get("unseen"):
            # There is nothing to mark as done.
            answer.context_data = (answer.context_data or {}) | {"actions_detail": []}
        return answer

    @page_action(  # type: ignore[untyped-decorator]
        description="Mark attention as done", permissions=["resolve"], icon="task_alt"
    )
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what the job is flagged for; take off what was shown, when that is confirmed."""
        page = reverse("admin:repairjobs_job_change", args=[object_id])
        job = self.get_object(request, object_id)
        if job is None:
            return HttpResponseRedirect(reverse("admin:repairjobs_job_changelist"))
        if request.method == "POST":
            keys = request.POST.getlist("flag")
            done = jobs.acknowledge(job_id=job.pk, keys=keys, at=timezone.now())
            if done:
                log_change(request, job, f"Marked {done} as seen.")
            self.message_user(request, f"Marked {done} as seen.", messages.SUCCESS)
            return HttpResponseRedirect(page)
        unseen = unseen_flags(job)
        if not unseen:
            self.message_user(request, "There is nothing to look at.", messages.INFO)
            return HttpResponseRedirect(page)
        return self._ask_about(request, job, unseen)

    def _ask_about(self, request: HttpRequest, job: Job, unseen: list[Any]) -> TemplateResponse:
        context = self.admin_site.each_context(request) | {
            "title": f"You have looked at this about {job}?",
            "opts": self.opts,
            "row_names": [flag.text for flag in unseen],
            "hidden_fields": [("flag", flag.key) for flag in unseen],
            "back_url": reverse("admin:repairjobs_job_change", args=[job.pk]),
        }
        return TemplateResponse(request, "common/admin/confirm.html", context)


def _spellings(term: str) -> Iterator[tuple[str, str]]:
    """Each column that may hold what was typed in another spelling, with a pattern of these."""
    packed = "".join(term.split())
    if POSTCODE.fullmatch(packed):
        yield "postcode", " *".join(packed)
    # Fewer digits may be those of a job.
    if (digits := national(term)) and len(digits) >= MIN_DIGITS:
        yield "mobile", "[^0-9]*".join(digits)


def _can_view(request: HttpRequest) -> Callable[[str], bool]:
    return lambda model: bool(request.user.has_perm(f"repairjobs.view_{model}"))


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
    search_help_text = "Number of a job"
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    fields = ["reference", "job", "amount", "currency", "received_at"]
    readonly_fields = ["amount"]
    list_display = ["reference", "job_id", "amount", "currency", "received_at"]
    search_fields = ["=reference", "=job"]
    search_help_text = "Reference, number of a job"
    date_hierarchy = "received_at"
    ordering = ["-received_at", "-id"]


@admin.register(Part)
class PartAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "part_number", "name", "quantity", "status"]
    list_filter = ["status"]
    search_fields = ["=job", "=part_number", "name"]
    search_help_text = "Number of a job; part"
    ordering = ["-pk"]


UNKNOWN_SMS = Eligibility(Q(state=SmsState.UNKNOWN), "SMS whose outcome is unknown")


@admin.register(Sms)
class SmsAdmin(NumberAdmin, PersonalAdmin):
    personal = {"sender": masked_number, "recipient": masked_number, "text": masked}
    exclude = ["once"]
    list_display = ["job_id", "kind", "state", "recipient", "segments", "created_at", "reason"]
    list_filter = ["state", "kind"]
    search_fields = ["=job", "=recipient", "=reference", "=message_uuid"]
    search_help_text = "Number of a job, phone number, reference"
    date_hierarchy = "created_at"
    ordering = ["-created_at", "-id"]
    actions = ["settle_as_sent", "send_again"]

    @admin.action(permissions=["resolve"], description="Settle unknown ones: it was sent")
    @requires_confirmation("These SMS were sent?", about=UNKNOWN_SMS)
    def settle_as_sent(self, request: HttpRequest, queryset: QuerySet[Sms]) -> None:
        self._settle(request, queryset, was_sent=True)

    @admin.action(
        permissions=["resolve"], description="Settle unknown ones: it was not sent, send it now"
    )
    @requires_confirmation("These SMS were not sent, and shall be sent now?", about=UNKNOWN_SMS)
    def send_again(self, request: HttpRequest, queryset: QuerySet[Sms]) -> None:
        self._settle(request, queryset, was_sent=False)

    def _settle(self, request: HttpRequest, queryset: QuerySet[Sms], *, was_sent: bool) -> None:
        settled = 0
        for sms in queryset.filter(state=SmsState.UNKNOWN):
            if texting.settle_sms(sms, was_sent=was_sent, at=timezone.now()):
                log_change(request, sms, f"Settled: it was {'sent' if was_sent else 'not sent'}.")
                settled += 1
        level = messages.SUCCESS if settled else messages.WARNING
        self.message_user(request, f"Settled {settled} SMS.", level)


@admin.register(Errand)
class ErrandAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "kind", "subject", "due_at", "attempts", "last_error"]
    list_filter = ["kind", ("due_at", admin.EmptyFieldListFilter)]
    search_fields = ["=job", "last_error"]
    search_help_text = "Number of a job; error"
    ordering = ["due_at"]
    actions = ["retry"]

    @admin.action(permissions=["resolve"], description="Try again now")
    @requires_confirmation("Try these again now?")
    def retry(self, request: HttpRequest, queryset: QuerySet[Errand]) -> None:
        tried = 0
        for errand in queryset:
            if jobs.retry_errand(errand, at=timezone.now()):
                log_change(request, errand, "Due now, with all attempts before it.")
                tried += 1
        self.message_user(request, f"{tried} errands are due now.", messages.SUCCESS)


@admin.register(Acknowledgement)
class AcknowledgementAdmin(ReadOnlyAdmin):
    list_display = ["job_id", "text", "acknowledged_at"]
    search_fields = ["=job"]
    search_help_text = "Number of a job"
    ordering = ["-pk"]


@admin.register(DeliveryReport)
class DeliveryReportAdmin(ReadOnlyAdmin):
    list_display = ["message_uuid", "status", "reason", "received_at"]
    search_fields = ["=message_uuid", "=reference"]
    ordering = ["-pk"]


@admin.register(OptOut)
class OptOutAdmin(NumberAdmin, PersonalAdmin):
    personal = {"number": masked_number}
    list_display = ["number", "since"]
    search_fields = ["=number"]
    ordering = ["-pk"]


@admin.register(Collection)
class CollectionAdmin(ReadOnlyAdmin):
    list_display = ["watermark", "swept_to", "is_live", "completed_at"]
