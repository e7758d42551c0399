"""Lists of rows to look at, that open as fast over millions of them."""

from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.admin.views.main import ChangeList as DjangosChangeList
from django.contrib.auth import get_permission_codename
from django.core.exceptions import ValidationError
from django.db.models import Max, Min, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from common.admin.date_hierarchy import DAY, DateLinks, Period, date_links, day_of, read_bound
from common.admin.pagination import BoundedPaginator

# Years after the next one are in no list of dates, whatever a row says.
FAR_AHEAD = timedelta(days=366)
LAST_YEAR = 9998

UNREAD = (
    "The address asked for a filter, a value or a page that this list does not have, "
    "so the whole list is shown."
)


class ReadOnlyChangeList(ChangeList):  # type: ignore[misc]
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # The page says below how many there are, as far as they are counted.
        self.full_result_count = self.result_count

    def date_steps(self) -> list[dict[str, str]]:
        """The dates that narrow the list, each with its link; first the way back."""
        found = self._date_steps()
        ends = [f"{self.date_hierarchy}__"]
        ways = [*([found.back] if found.back else []), *found.choices]
        return [
            {
                "title": way.title,
                "link": self.get_query_string(way.bounds, ends),
                "icon": "arrow_back" if way is found.back else "",
            }
            for way in ways
        ]

    def _date_steps(self) -> DateLinks:
        if not self.date_hierarchy:
            return DateLinks(None, [])
        field = self.lookup_opts.get_field(self.date_hierarchy)
        chosen = self._chosen()
        return date_links(field, chosen, None if chosen else self._whole())

    def _chosen(self) -> Period | None:
        first, after = (
            read_bound(self.params.get(f"{self.date_hierarchy}__{end}")) for end in ("gte", "lt")
        )
        return (first, after) if first and after and first < after else None

    def _whole(self) -> Period | None:
        """From the first date to the last one, each found at an end of an index."""
        name = self.date_hierarchy
        ends = self.root_queryset.order_by().aggregate(first=Min(name), last=Max(name))
        if ends["first"] is None:
            return None
        first, last = day_of(ends["first"]), day_of(ends["last"])
        last = min(last, (timezone.now() + FAR_AHEAD).date(), date(LAST_YEAR, 12, 31))
        return min(first, last), last + DAY


class StrictChoiceFilter(SimpleListFilter):
    """A filter that refuses what it does not know, which would narrow nothing."""

    def value(self) -> str | None:
        value: str | None = super().value()
        if value and value not in dict(self.lookup_choices):
            raise IncorrectLookupParameters
        return value


class BaseAdmin(ModelAdmin):  # type: ignore[misc]
    """What all lists have in common: none is whole in silence when it was to be narrowed."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        # Django leads here from an address that it cannot read.
        if ERROR_FLAG in request.GET and request.method == "GET":
            self.message_user(request, UNREAD, messages.ERROR)
        answer: HttpResponse = super().changelist_view(request, extra_context)
        return answer


class ReadOnlyAdmin(BaseAdmin):
    """Rows to look at; nothing is added, changed or deleted by hand.

    In ``search_fields``, ``=`` is for what an index finds: the very value, as the column has it.
    """

    change_list_template = "common/admin/change_list.html"
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = False  # they count
    list_filter_sheet = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangosChangeList]:
        return ReadOnlyChangeList

    def get_sortable_by(self, request: HttpRequest) -> list[str]:
        """The column that the list is in order of: sorting by another one reads every row."""
        return [name.removeprefix("-") for name in self.get_ordering(request)[:1]]

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_resolve_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Whether its actions are allowed: to whoever may change such rows elsewhere."""
        codename = get_permission_codename("change", self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        names = self.get_search_fields(request)
        for word in search_term.split() if names else []:
            queryset = queryset.filter(_anywhere(self.model, names, word))
        return queryset, False


def _anywhere(model: type[Model], names: list[str], word: str) -> Q:
    found = Q(pk__in=[])
    for name in names:
        field = model._meta.get_field(name.removeprefix("="))
        if not name.startswith("="):
            found |= Q(**{f"{name}__icontains": word})
            continue
        try:
            found |= Q(**{field.name: field.to_python(word)})  # type: ignore[union-attr]
        except ValidationError:
            # No value of this column: a word among numbers, say.
            continue
    return found
