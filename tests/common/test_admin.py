"""What every list and the front page of the admin have in common."""

import re
from datetime import UTC, date, datetime

import pytest
from django.conf import settings as project
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import OperationalError
from django.utils.text import capfirst

from common.admin import counting
from common.admin.base import UNREAD
from common.admin.date_hierarchy import DateLink, date_links
from common.admin.pagination import BoundedPaginator
from stats.models import DailyTotal, Message
from tests.stats.factories import message_data

pytestmark = pytest.mark.django_db(databases="__all__")

DAY = DailyTotal._meta.get_field("day")
INSTANT = Message._meta.get_field("timestamp")


def titles(found):
    return [step.title for step in found.choices]


class TestDates:
    def test_of_several_years_are_years(self):
        found = date_links(DAY, None, (date(2024, 5, 1), date(2026, 2, 1)))

        assert titles(found) == ["2024", "2025", "2026"]
        assert found.choices[0].bounds == {"day__gte": "2024-01-01", "day__lt": "2025-01-01"}
        assert found.back is None

    def test_of_one_year_are_months(self):
        found = date_links(DAY, None, (date(2026, 11, 3), date(2027, 1, 1)))

        assert titles(found) == ["November 2026", "December 2026"]
        assert found.choices[1].bounds == {"day__gte": "2026-12-01", "day__lt": "2027-01-01"}

    def test_of_a_chosen_month_are_days_and_lead_back_to_the_year(self):
        found = date_links(DAY, (date(2024, 2, 1), date(2024, 3, 1)), None)

        assert titles(found)[0] == "1 February"
        assert titles(found)[-1] == "29 February"
        assert found.back == DateLink("2024", {"day__gte": "2024-01-01", "day__lt": "2025-01-01"})

    def test_of_a_chosen_day_lead_back_to_the_month(self):
        found = date_links(INSTANT, (date(2024, 2, 9), date(2024, 2, 10)), None)

        assert found.choices == []
        assert found.back == DateLink(
            "February 2024",
            {"timestamp__gte": "2024-02-01T00:00Z", "timestamp__lt": "2024-03-01T00:00Z"},
        )

    def test_of_a_chosen_year_lead_back_to_all(self):
        assert date_links(DAY, (date(2024, 1, 1), date(2025, 1, 1)), None).back == DateLink(
            "All dates", {}
        )

    def test_of_nothing_are_none(self):
        assert date_links(DAY, None, None) == (None, [])

    def test_of_two_thousand_years_are_the_latest(self):
        found = date_links(DAY, None, (date(1, 1, 1), date(2026, 1, 2)))

        assert titles(found) == [str(year) for year in range(2012, 2027)]


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


class TestCount:
    def test_is_exact_for_few_rows(self, messages):
        pages = BoundedPaginator(messages, 2)

        assert (pages.count, pages.num_pages, pages.has_more) == (5, 3, False)
        assert pages.estimate is None

    def test_ends_where_nobody_pages_to(self, messages, monkeypatch):
        monkeypatch.setattr(counting, "MAX_COUNTED", 3)
        pages = BoundedPaginator(messages, 2)

        assert (pages.count, pages.num_pages, pages.has_more) == (3, 2, True)

    def test_reads_no_more_rows_than_that(self, messages, monkeypatch, django_assert_num_queries):
        monkeypatch.setattr(counting, "MAX_COUNTED", 3)

        with django_assert_num_queries(1) as asked:
            assert BoundedPaginator(messages, 2).has_more

        assert "LIMIT 4" in asked.captured_queries[0]["sql"]

    def test_of_a_whole_table_is_what_the_store_estimates(self, messages, monkeypatch):
        monkeypatch.setattr(counting, "MAX_COUNTED", 3)
        monkeypatch.setattr(counting, "estimated_rows", lambda rows: 1_234_567)

        assert BoundedPaginator(messages, 2).estimate == 1_200_000
        assert BoundedPaginator(messages.filter(type="A"), 2).estimate is None

    def test_has_no_estimate_that_contradicts_it(self, messages, monkeypatch):
        monkeypatch.setattr(counting, "MAX_COUNTED", 3)
        monkeypatch.setattr(counting, "estimated_rows", lambda rows: 0)

        assert BoundedPaginator(messages, 2).estimate is None

    @pytest.mark.skipif(not project.ON_SERVERS, reason="SQLite keeps no estimates")
    @pytest.mark.parametrize("model", ["stats.message", "repairjobs.job"])
    def test_can_be_estimated_on_servers(self, model):
        from django.apps import apps

        assert isinstance(counting.estimated_rows(apps.get_model(model).objects.all()), int)


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
    ("asked", "shown"),
    [
        ("", "/admin/"),
        ("?next=/admin/stats/message/", "/admin/stats/message/"),
        ("?next=https://example.com/", "/admin/"),
    ],
)
def test_who_signs_in_comes_to_what_was_asked_for(client, django_user_model, asked, shown):
    django_user_model.objects.create_superuser("operator", password="of-the-tests")
    sent = {"username": "operator", "password": "of-the-tests"}

    answer = client.post(f"/admin/login/{asked}", sent)

    assert (answer.status_code, answer.url) == (302, shown)


class TestList:
    LIST = "/admin/stats/message/"

    def shown(self, answer):
        return len(answer.context["cl"].result_list)

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
    def test_is_searched_and_narrowed(self, admin_client, messages, query, count):
        assert self.shown(admin_client.get(self.LIST + query)) == count

    def test_finds_a_uuid(self, admin_client, messages):
        answer = admin_client.get(f"{self.LIST}?q={messages[2].uuid}")

        assert [row.pk for row in answer.context["cl"].result_list] == [messages[2].pk]

    def test_says_when_there_are_more_than_it_pages_to(self, admin_client, messages, monkeypatch):
        assert "the first" not in admin_client.get(self.LIST).content.decode()

        monkeypatch.setattr(counting, "MAX_COUNTED", 3)
        monkeypatch.setattr(counting, "estimated_rows", lambda rows: 1_234_567)
        page = " ".join(admin_client.get(self.LIST).content.decode().split())

        assert "the first 3 of about 1,200,000 messages" in page

    def test_links_to_its_dates(self, admin_client, messages):
        page = admin_client.get(self.LIST).content.decode()

        assert "?timestamp__gte=2025-02-01T00%3A00Z&amp;timestamp__lt=2025-03-01T00%3A00Z" in page

    def test_is_sorted_by_its_index_alone(self, admin_client, messages):
        answer = admin_client.get(self.LIST)

        assert answer.context["cl"].sortable_by == ["timestamp"]

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
    def test_says_so_when_it_is_not_narrowed_as_asked(
        self, admin_client, messages, query, monkeypatch
    ):
        monkeypatch.setattr("stats.admin.MessageAdmin.list_per_page", 2)

        answer = admin_client.get(f"/admin/{query}", follow=True)

        assert answer.redirect_chain
        assert [str(each) for each in answer.context["messages"]] == [UNREAD]
        assert "so the whole list is shown" in answer.content.decode()

    def test_says_nothing_when_it_is_narrowed_as_asked(self, admin_client, messages):
        answer = admin_client.get(f"{self.LIST}?customer_id=1", follow=True)

        assert not answer.context["messages"]

    @pytest.mark.parametrize(
        ("path", "told", "offers"),
        [
            ("stats/message/", "There is nothing here yet.", []),
            ("stats/message/?q=1", "Nothing matches", ["Reset them"]),
            ("api_keys/apikey/", "There is nothing here yet.", ["Add API key"]),
        ],
    )
    def test_says_that_it_is_empty(self, admin_client, path, told, offers):
        page = admin_client.get(f"/admin/{path}").content.decode()

        assert told in page
        assert "Create a new item" not in page
        assert [offer for offer in ("Reset them", "Add API key") if f">{offer}<" in page] == offers

    @pytest.mark.parametrize("number", [2, 5])
    def test_asks_as_often_for_few_rows_as_for_many(
        self, admin_client, messages, number, django_assert_max_num_queries
    ):
        Message.objects.filter(pk__in=[row.pk for row in messages[number:]]).delete()

        # Session and user, then rows, their count, first and last date.
        with django_assert_max_num_queries(5):
            admin_client.get(self.LIST)

    def test_spells_instants_in_utc(self, admin_client, messages):
        assert "2025-05-01 00:00:00 UTC" in admin_client.get(self.LIST).content.decode()


class TestFrontPage:
    def names(self, client):
        return [section["name"] for section in client.get("/admin/").context["sections"]]

    def test_has_a_section_of_each_service(self, admin_client):
        assert self.names(admin_client) == ["Stats", "Data provider", "Dashboard", "Repair jobs"]

    def test_shows_what_the_person_may_see(self, sign_in):
        client = sign_in("dashboard.view_rejectedevent")
        (section,) = client.get("/admin/").context["sections"]

        assert section["name"] == "Dashboard"
        assert [figure.title for figure in section["figures"]] == ["Rejected events"]
        assert section["charts"] == []

    def test_shows_nothing_to_who_may_see_nothing(self, sign_in):
        client = sign_in()

        assert self.names(client) == []
        assert "Nothing here is for you to see" in client.get("/admin/").content.decode()

    def test_says_which_store_is_away(self, admin_client, monkeypatch):
        def away(self):
            raise OperationalError

        monkeypatch.setattr("stats.apps.StatsConfig.freshness", away)
        answer = admin_client.get("/admin/")

        assert [section.get("is_unavailable") for section in answer.context["sections"]][:2] == [
            True,
            None,
        ]
        assert "store is away" in answer.content.decode()

    def test_asks_a_bounded_number_of_questions(self, admin_client, django_assert_max_num_queries):
        with django_assert_max_num_queries(20):
            admin_client.get("/admin/")

    def test_loads_nothing_from_elsewhere(self, admin_client):
        page = admin_client.get("/admin/").content.decode()

        addresses = re.findall(r'<(?:script|img|link)\b[^>]*?\b(?:src|href)="([^"]+)"', page)
        assert addresses
        assert [address for address in addresses if "//" in address] == []


class TestNavigation:
    def groups(self, client):
        found = client.get("/admin/").context["sidebar_navigation"]
        return {group["title"]: [item["title"] for item in group["items"]] for group in found}

    def test_leads_by_service_to_what_the_person_may_see(self, sign_in):
        client = sign_in("stats.view_message", "repairjobs.view_job", "api_keys.view_apikey")

        assert self.groups(client) == {
            "": ["Overview"],
            "Stats": ["Messages"],
            "Repair jobs": ["Jobs"],
            "Access": ["API keys"],
        }

    def test_leads_to_pages_that_open(self, admin_client):
        groups = admin_client.get("/admin/").context["sidebar_navigation"]
        links = [item["link"] for group in groups for item in group["items"]]

        assert len(links) > 15
        assert {link: admin_client.get(link).status_code for link in links} == dict.fromkeys(
            links, 200
        )

    def test_names_pages_as_they_name_themselves(self, admin_client):
        groups = admin_client.get("/admin/").context["sidebar_navigation"]
        named = {item["link"]: item["title"] for group in groups for item in group["items"]}
        del named["/admin/"]

        lists = {link: admin_client.get(link).context["cl"].opts for link in named}

        assert {link: capfirst(opts.verbose_name_plural) for link, opts in lists.items()} == named
        assert len(set(named.values()) - {"Events"}) == len(named) - 1
        assert named["/admin/repairjobs/sms/"] == "SMS"
        assert named["/admin/repairjobs/errand/"] == "Owed errands"
        assert named["/admin/dashboard/dailytotal/"] == "Bookings by day"
        assert named["/admin/admin/logentry/"] == "Log entries"


class TestPeople:
    def test_are_never_deleted(self, admin_client, admin_user):
        assert admin_client.post(f"/admin/auth/user/{admin_user.pk}/delete/").status_code == 403
        assert "delete_selected" not in admin_client.get("/admin/auth/user/").content.decode()

    def test_cannot_change_what_they_did(self, admin_client, admin_user):
        LogEntry.objects.log_actions(admin_user.pk, [admin_user], 2, "Did it.", single_object=True)
        entry = LogEntry.objects.get()

        page = admin_client.get("/admin/admin/logentry/").content.decode()
        assert "Did it." in page
        assert "Object repr" not in page
        assert admin_client.post(f"/admin/admin/logentry/{entry.pk}/delete/").status_code == 403
