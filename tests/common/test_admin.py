"""The admin: lists, overview page, navigation, users and log."""

import re
from datetime import UTC, date, datetime

import pytest
from django.apps import apps
from django.conf import settings as project
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.utils.text import capfirst

from common.admin import pagination
from common.admin.base import UNKNOWN_FILTER
from common.admin.date_hierarchy import DateLink, date_links
from common.admin.pagination import BoundedPaginator
from stats.models import DailyTotal, Message
from tests.common.databases import failing_database
from tests.stats.factories import message_data

pytestmark = pytest.mark.django_db(databases="__all__")

DAY = DailyTotal._meta.get_field("day")
INSTANT = Message._meta.get_field("timestamp")


def titles(links):
    return [link.title for link in links.choices]


class TestDateLinks:
    def test_a_list_of_several_years_links_to_years(self):
        links = date_links(DAY, None, (date(2024, 5, 1), date(2026, 2, 1)))

        assert titles(links) == ["2024", "2025", "2026"]
        assert links.choices[0].bounds == {"day__gte": "2024-01-01", "day__lt": "2025-01-01"}
        assert links.back is None

    def test_a_list_of_one_year_links_to_months(self):
        links = date_links(DAY, None, (date(2026, 11, 3), date(2027, 1, 1)))

        assert titles(links) == ["November 2026", "December 2026"]
        assert links.choices[1].bounds == {"day__gte": "2026-12-01", "day__lt": "2027-01-01"}

    def test_a_selected_month_links_to_its_days_and_back_to_the_year(self):
        links = date_links(DAY, (date(2024, 2, 1), date(2024, 3, 1)), None)

        assert titles(links)[0] == "1 February"
        assert titles(links)[-1] == "29 February"
        assert links.back == DateLink("2024", {"day__gte": "2024-01-01", "day__lt": "2025-01-01"})

    def test_a_selected_day_links_back_to_the_month(self):
        links = date_links(INSTANT, (date(2024, 2, 9), date(2024, 2, 10)), None)

        assert links.choices == []
        assert links.back == DateLink(
            "February 2024",
            {"timestamp__gte": "2024-02-01T00:00Z", "timestamp__lt": "2024-03-01T00:00Z"},
        )

    def test_a_selected_year_links_back_to_all_dates(self):
        links = date_links(DAY, (date(2024, 1, 1), date(2025, 1, 1)), None)

        assert links.back == DateLink("All dates", {})

    def test_an_empty_list_has_no_links(self):
        assert date_links(DAY, None, None) == (None, [])

    def test_a_list_of_two_thousand_years_links_to_the_latest_years(self):
        links = date_links(DAY, None, (date(1, 1, 1), date(2026, 1, 2)))

        assert titles(links) == [str(year) for year in range(2012, 2027)]


@pytest.fixture
def messages():
    for number in range(5):
        message = message_data(timestamp=datetime(2025, 1 + number, 1, tzinfo=UTC))
        Message.objects.create(
            uuid=message.uuid,
            customer_id=number % 2,
            type="A",
            amount_thousandths=12,
            timestamp=message.timestamp,
        )
    return Message.objects.order_by("-timestamp")


@pytest.fixture
def at_most_three_counted(monkeypatch):
    monkeypatch.setattr(pagination, "MAX_COUNTED", 3)


@pytest.fixture
def estimate(monkeypatch):
    """Let the database estimate this number of rows."""

    def set_estimate(rows):
        query = f"SELECT {rows} WHERE %s <> ''"
        monkeypatch.setitem(pagination.ESTIMATES, connection.vendor, query)

    return set_estimate


class TestBoundedPaginator:
    def test_the_count_of_few_rows_is_exact(self, messages):
        paginator = BoundedPaginator(messages, 2)

        assert (paginator.count, paginator.num_pages, paginator.has_more) == (5, 3, False)
        assert paginator.estimate is None

    def test_the_count_ends_at_the_maximum(self, messages, at_most_three_counted):
        paginator = BoundedPaginator(messages, 2)

        assert (paginator.count, paginator.num_pages, paginator.has_more) == (3, 2, True)

    def test_the_count_reads_at_most_one_row_more_than_the_maximum(
        self, messages, at_most_three_counted, django_assert_num_queries
    ):
        with django_assert_num_queries(1) as queries:
            assert BoundedPaginator(messages, 2).has_more

        assert "LIMIT 4" in queries.captured_queries[0]["sql"]

    def test_only_an_unfiltered_list_has_an_estimate(
        self, messages, at_most_three_counted, estimate
    ):
        estimate(1_234_567)

        assert BoundedPaginator(messages, 2).estimate == 1_200_000
        assert BoundedPaginator(messages.filter(type="A"), 2).estimate is None

    def test_an_estimate_below_the_count_is_ignored(
        self, messages, at_most_three_counted, estimate
    ):
        estimate(0)

        assert BoundedPaginator(messages, 2).estimate is None

    @pytest.mark.skipif(not project.ON_SERVERS, reason="SQLite keeps no estimates")
    @pytest.mark.parametrize("model", ["stats.message", "repairjobs.job"])
    def test_a_database_server_estimates_the_size_of_a_table(self, model):
        rows = apps.get_model(model).objects.all()

        assert isinstance(pagination.estimated_rows(rows), int)


@pytest.fixture
def sign_in(client):
    def sign_in(*permissions):
        user = User.objects.create_user("someone", is_staff=True)
        for permission in permissions:
            app, codename = permission.split(".")
            user.user_permissions.add(
                Permission.objects.get(content_type__app_label=app, codename=codename)
            )
        client.force_login(user)
        return client

    return sign_in


@pytest.mark.parametrize(
    ("query", "destination"),
    [
        ("", "/admin/"),
        ("?next=/admin/stats/message/", "/admin/stats/message/"),
        ("?next=https://example.com/", "/admin/"),
    ],
)
def test_the_login_page_redirects_to_the_requested_page_of_this_host(
    client, django_user_model, query, destination
):
    django_user_model.objects.create_superuser("operator", password="of-the-tests")
    credentials = {"username": "operator", "password": "of-the-tests"}

    response = client.post(f"/admin/login/{query}", credentials)

    assert (response.status_code, response.url) == (302, destination)


class TestList:
    LIST = "/admin/stats/message/"

    def row_count(self, response):
        return len(response.context["cl"].result_list)

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("", 5),
            ("?q=1", 2),
            ("?q=word", 0),
            ("?q=99999999999999999999999", 0),
            ("?timestamp__gte=2025-02-01T00:00Z&timestamp__lt=2025-04-01T00:00Z", 2),
        ],
    )
    def test_a_list_can_be_searched_and_filtered(self, admin_client, messages, query, count):
        assert self.row_count(admin_client.get(self.LIST + query)) == count

    def test_the_search_finds_a_uuid(self, admin_client, messages):
        response = admin_client.get(f"{self.LIST}?q={messages[2].uuid}")

        assert [row.pk for row in response.context["cl"].result_list] == [messages[2].pk]

    def test_a_long_list_shows_the_estimated_number_of_rows(
        self, admin_client, messages, monkeypatch, estimate
    ):
        assert "the first" not in admin_client.get(self.LIST).content.decode()

        monkeypatch.setattr(pagination, "MAX_COUNTED", 3)
        estimate(1_234_567)
        page = " ".join(admin_client.get(self.LIST).content.decode().split())

        assert "the first 3 of about 1,200,000 messages" in page

    def test_a_list_links_to_its_months(self, admin_client, messages):
        page = admin_client.get(self.LIST).content.decode()

        assert "?timestamp__gte=2025-02-01T00%3A00Z&amp;timestamp__lt=2025-03-01T00%3A00Z" in page

    def test_a_list_can_be_sorted_only_by_the_column_of_its_index(self, admin_client, messages):
        response = admin_client.get(self.LIST)

        assert response.context["cl"].sortable_by == ["timestamp"]

    @pytest.mark.parametrize(
        "query",
        [
            "stats/message/?nonsense=1",
            "stats/message/?timestamp__gte=nonsense",
            "stats/message/?timestamp__gte=nonsense&timestamp__lt=2025-01-01T00:00Z",
            "stats/message/?p=9999",
            "repairjobs/job/?attention=nonsense",
            "repairjobs/job/?under_way=nonsense",
            "auth/user/?nonsense=1",
            "api_keys/apikey/?nonsense=1",
        ],
    )
    def test_an_unknown_filter_is_reported_and_the_list_is_unfiltered(
        self, admin_client, messages, query, monkeypatch
    ):
        monkeypatch.setattr("stats.admin.MessageAdmin.list_per_page", 2)

        response = admin_client.get(f"/admin/{query}", follow=True)

        assert response.redirect_chain
        assert [str(message) for message in response.context["messages"]] == [UNKNOWN_FILTER]
        assert "The list is shown unfiltered." in response.content.decode()

    def test_a_known_filter_causes_no_message(self, admin_client, messages):
        response = admin_client.get(f"{self.LIST}?customer_id=1", follow=True)

        assert not response.context["messages"]

    @pytest.mark.parametrize(
        ("path", "text", "links"),
        [
            ("stats/message/", "There are no rows yet.", []),
            ("stats/message/?q=1", "No rows match", ["Reset filters"]),
            ("api_keys/apikey/", "There are no rows yet.", ["Add API key"]),
        ],
    )
    def test_an_empty_list_says_so(self, admin_client, path, text, links):
        page = admin_client.get(f"/admin/{path}").content.decode()

        assert text in page
        assert "Create a new item" not in page
        assert [link for link in ("Reset filters", "Add API key") if f">{link}<" in page] == links

    @pytest.mark.parametrize("number", [2, 5])
    def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
        self, admin_client, messages, number, django_assert_max_num_queries
    ):
        Message.objects.filter(pk__in=[row.pk for row in messages[number:]]).delete()

        # Session and user, then rows, their count, first and last date.
        with django_assert_max_num_queries(5):
            admin_client.get(self.LIST)

    def test_instants_are_shown_in_utc(self, admin_client, messages):
        assert "2025-05-01 00:00:00 UTC" in admin_client.get(self.LIST).content.decode()


class TestOverview:
    def names(self, client):
        return [section["name"] for section in client.get("/admin/").context["sections"]]

    def test_the_overview_has_a_section_for_each_service(self, admin_client):
        assert self.names(admin_client) == ["Stats", "Data provider", "Dashboard", "Repair jobs"]

    def test_the_overview_shows_only_what_the_user_may_view(self, sign_in):
        client = sign_in("dashboard.view_rejectedevent")
        (section,) = client.get("/admin/").context["sections"]

        assert section["name"] == "Dashboard"
        assert [tile.title for tile in section["tiles"]] == ["Rejected events"]
        assert section["charts"] == []

    def test_the_overview_is_empty_without_permissions(self, sign_in):
        client = sign_in()

        assert self.names(client) == []
        assert "You have no permission to view any data" in client.get("/admin/").content.decode()

    def test_the_overview_names_the_service_whose_database_is_unavailable(self, admin_client):
        with failing_database("default", table="stats_"):
            response = admin_client.get("/admin/")

        assert [section.get("is_unavailable") for section in response.context["sections"]][:2] == [
            True,
            None,
        ]
        assert "The database of this service is unavailable." in response.content.decode()

    def test_the_overview_needs_a_bounded_number_of_queries(
        self, admin_client, django_assert_max_num_queries
    ):
        with django_assert_max_num_queries(20):
            admin_client.get("/admin/")

    def test_the_overview_loads_only_from_this_host(self, admin_client):
        page = admin_client.get("/admin/").content.decode()

        addresses = re.findall(r'<(?:script|img|link)\b[^>]*?\b(?:src|href)="([^"]+)"', page)
        assert addresses
        assert [address for address in addresses if "//" in address] == []


class TestNavigation:
    def groups(self, client):
        groups = client.get("/admin/").context["sidebar_navigation"]
        return {group["title"]: [item["title"] for item in group["items"]] for group in groups}

    def test_the_navigation_links_to_the_lists_that_the_user_may_view(self, sign_in):
        client = sign_in("stats.view_message", "repairjobs.view_job", "api_keys.view_apikey")

        assert self.groups(client) == {
            "": ["Overview"],
            "Stats": ["Messages"],
            "Repair jobs": ["Jobs"],
            "Access": ["API keys"],
        }

    def test_every_link_of_the_navigation_works(self, admin_client):
        groups = admin_client.get("/admin/").context["sidebar_navigation"]
        links = [item["link"] for group in groups for item in group["items"]]

        assert len(links) > 15
        assert {link: admin_client.get(link).status_code for link in links} == dict.fromkeys(
            links, 200
        )

    def test_the_navigation_uses_the_titles_of_the_lists(self, admin_client):
        groups = admin_client.get("/admin/").context["sidebar_navigation"]
        titles = {item["link"]: item["title"] for group in groups for item in group["items"]}
        del titles["/admin/"]

        lists = {link: admin_client.get(link).context["cl"].opts for link in titles}

        assert {link: capfirst(opts.verbose_name_plural) for link, opts in lists.items()} == titles
        assert len(set(titles.values()) - {"Events"}) == len(titles) - 1
        assert titles["/admin/repairjobs/sms/"] == "SMS"
        assert titles["/admin/repairjobs/outboxtask/"] == "Outbox"
        assert titles["/admin/dashboard/dailytotal/"] == "Bookings by day"
        assert titles["/admin/admin/logentry/"] == "Log entries"


class TestUsers:
    def test_users_cannot_be_deleted(self, admin_client, admin_user):
        assert admin_client.post(f"/admin/auth/user/{admin_user.pk}/delete/").status_code == 403
        assert "delete_selected" not in admin_client.get("/admin/auth/user/").content.decode()

    def test_the_log_cannot_be_changed(self, admin_client, admin_user):
        LogEntry.objects.log_actions(admin_user.pk, [admin_user], 2, "Did it.", single_object=True)
        entry = LogEntry.objects.get()

        page = admin_client.get("/admin/admin/logentry/").content.decode()
        assert "Did it." in page
        assert "Object repr" not in page
        assert admin_client.post(f"/admin/admin/logentry/{entry.pk}/delete/").status_code == 403
