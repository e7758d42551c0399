"""Read-only admin lists that stay fast over millions of rows."""

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

from common.admin.date_hierarchy import DAY, DateLinks, Period, date_links, day_of, parse_bound
from common.admin.pagination import BoundedPaginator

# The date links end one year ahead, even if a row is dated later.
MAX_DAYS_AHEAD = timedelta(days=366)
MAX_YEAR = 9998

UNKNOWN_FILTER = (
    "The URL contains a filter, a value or a page that this list does not have. "
    "The list is shown unfiltered."
)


class ReadOnlyChangeList(ChangeList):  # type: ignore[misc]
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # The page shows the bounded count of BoundedPaginator instead.
        self.full_result_count = self.result_count

    def date_steps(self) -> list[dict[str, str]]:
        """Return links that filter the list by dates, first the link back to a longer period."""
        links = self._date_links()
        bounds = [f"{self.date_hierarchy}__"]
        steps = [*([links.back] if links.back else []), *links.choices]
        return [
            {
                "title": step.title,
                "link": self.get_query_string(step.bounds, bounds),
                "icon": "arrow_back" if step is links.back else "",
            }
            for step in steps
        ]

    def _date_links(self) -> DateLinks:
        if not self.date_hierarchy:
            return DateLinks(None, [])
        field = self.lookup_opts.get_field(self.date_hierarchy)
        selected = self._selected_period()
        return date_links(field, selected, None if selected else self._full_period())

    def _selected_period(self) -> Period | None:
        first, after = (
            parse_bound(self.params.get(f"{self.date_hierarchy}__{end}")) for end in ("gte", "lt")
        )
        return (first, after) if first and after and first < after else None

    def _full_period(self) -> Period | None:
        """Return the period from the first to the last date; an index finds both."""
        name = self.date_hierarchy
        ends = self.root_queryset.order_by().aggregate(first=Min(name), last=Max(name))
        if ends["first"] is None:
            return None
        first, last = day_of(ends["first"]), day_of(ends["last"])
        last = min(last, (timezone.now() + MAX_DAYS_AHEAD).date(), date(MAX_YEAR, 12, 31))
        return min(first, last), last + DAY


class StrictChoiceFilter(SimpleListFilter):
    """A filter that rejects unknown values. Django would show the unfiltered list."""

    def value(self) -> str | None:
        value: str | None = super().value()
        if value and value not in dict(self.lookup_choices):
            raise IncorrectLookupParameters
        return value


class BaseAdmin(ModelAdmin):  # type: ignore[misc]
    """The base of all admin lists. It shows an error if the URL has an unknown filter."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        # Django redirects here from a URL that it cannot parse.
        if ERROR_FLAG in request.GET and request.method == "GET":
            self.message_user(request, UNKNOWN_FILTER, messages.ERROR)
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response


class ReadOnlyAdmin(BaseAdmin):
    """A list without adding, changing and deleting.

    In ``search_fields``, the prefix ``=`` means an exact match by index. In other fields, the
    search also finds a part of the text. That reads all rows.
    """

    change_list_template = "common/admin/change_list.html"
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = False  # facets count rows
    list_filter_sheet = True

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangosChangeList]:
        return ReadOnlyChangeList

    def get_sortable_by(self, request: HttpRequest) -> list[str]:
        """Allow sorting only by the column of the default order. Other columns have no index."""
        return [name.removeprefix("-") for name in self.get_ordering(request)[:1]]

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_resolve_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Return whether the user may run actions. This needs the model's *change* permission."""
        codename = get_permission_codename("change", self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        names = self.get_search_fields(request)
        for word in search_term.split() if names else []:
            queryset = queryset.filter(_in_any_field(self.model, names, word))
        return queryset, False


def _in_any_field(model: type[Model], names: list[str], word: str) -> Q:
    condition = Q(pk__in=[])
    for name in names:
        field = model._meta.get_field(name.removeprefix("="))
        if not name.startswith("="):
            condition |= Q(**{f"{name}__icontains": word})
            continue
        try:
            condition |= Q(**{field.name: field.to_python(word)})  # type: ignore[union-attr]
        except ValidationError:
            # The word is not a value of this column, for example a name for a number column.
            continue
    return condition
