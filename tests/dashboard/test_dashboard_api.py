import json
import re
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.test import APIRequestFactory

from dashboard.api import lean
from dashboard.models import DailyTotal, DailyTotalQuerySet, Ingestion
from dashboard.report import Question, report
from tests.dashboard.factories import DailyTotalFactory

pytestmark = pytest.mark.django_db(databases=["dashboard"])


class TestReport:
    def test_has_every_month_zeros_included(self, api):
        DailyTotalFactory(day=date(2020, 1, 31), bookings=3, cancellations=1)
        DailyTotalFactory(day=date(2020, 12, 31), bookings=2, cancellations=4)

        answer = api.get("/dashboard?hotel_id=1&year=2020").json()

        assert [row["month"] for row in answer["data"]] == [
            f"2020-{month:02}" for month in range(1, 13)
        ]
        assert answer["data"][0] == {
            "month": "2020-01", "bookings": 3, "cancellations": 1, "net": 2
        }  # fmt: skip
        assert answer["data"][1]["bookings"] == 0
        assert answer["data"][11]["net"] == -2
        assert answer["total"] == {"bookings": 5, "cancellations": 5, "net": 0}

    @pytest.mark.parametrize(("year", "days"), [(2019, 365), (2020, 366), (1, 365), (9999, 365)])
    def test_has_every_day(self, api, year, days):
        DailyTotalFactory(day=date(year, 12, 31), bookings=7, cancellations=0)

        data = api.get(f"/dashboard?hotel_id=1&period=day&year={year}").json()["data"]

        assert len(data) == days
        assert data[0]["day"] == f"{year:04}-01-01"
        assert data[-1] == {
            "day": f"{year:04}-12-31", "bookings": 7, "cancellations": 0, "net": 7
        }  # fmt: skip

    def test_of_a_year_is_one_row(self, api):
        DailyTotalFactory(day=date(2020, 2, 1))
        DailyTotalFactory(day=date(2020, 3, 1))
        DailyTotalFactory(day=date(2021, 1, 1))

        data = api.get("/dashboard?hotel_id=1&period=year&year=2020").json()["data"]

        assert data == [{"year": 2020, "bookings": 6, "cancellations": 2, "net": 4}]

    def test_keeps_hotels_and_readings_apart(self, api):
        DailyTotalFactory(day=date(2020, 1, 1), bookings=1)
        DailyTotalFactory(day=date(2020, 1, 1), bookings=10, reading="timestamp")
        DailyTotalFactory(day=date(2020, 1, 1), bookings=100, hotel_id=2)

        answer = api.get("/dashboard?hotel_id=1&year=2020&by=timestamp").json()

        assert (answer["by"], answer["total"]["bookings"]) == ("timestamp", 10)

    def test_of_an_unknown_hotel_is_all_zeros_and_was_never_ingested(self, api):
        answer = api.get("/dashboard?hotel_id=404&year=2020").json()

        assert answer["total"] == {"bookings": 0, "cancellations": 0, "net": 0}
        assert answer["ingested_through"] is None

    def test_tells_the_watermark(self, api):
        Ingestion.objects.create(pk=1, watermark=datetime(2020, 12, 31, 23, 59, 59, tzinfo=UTC))

        assert api.get("/dashboard?hotel_id=1").json()["ingested_through"] == "2020-12-31T23:59:59Z"

    @time_machine.travel("2031-12-31T23:59:59Z", tick=False)
    def test_is_about_this_year_unless_told(self, api):
        assert api.get("/dashboard?hotel_id=1").json()["year"] == 2031

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ("", "hotel_id"),
            ("hotel_id=", "hotel_id"),
            ("hotel_id=one", "hotel_id"),
            ("hotel_id=9223372036854775808", "hotel_id"),
            ("hotel_id=1&hotel_id=2", "hotel_id"),
            ("hotel_id=1_0", "hotel_id"),
            ("hotel_id=%2B1", "hotel_id"),
            ("hotel_id=1&year=2020.0", "year"),
            ("hotel_id=1&year=0", "year"),
            ("hotel_id=1&year=10000", "year"),
            ("hotel_id=1&period=week", "period"),
            ("hotel_id=1&by=room", "by"),
            ("hotel_id=1&yaer=2020", "yaer"),
            ("hotel_id=1&limit=0", "limit"),
            ("hotel_id=1&format=xml", "format"),
        ],
    )
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_refuses(self, api, query, name, slash):
        response = api.get(f"/dashboard{slash}?{query}")

        assert response.status_code == 400
        assert list(response.json()) == [name]

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_allows_no(self, api, method):
        assert getattr(api, method)("/dashboard?hotel_id=1").status_code == 405

    def test_answers_503_while_the_store_is_away(self, monkeypatch):
        def away(*args):
            raise OperationalError("gone")

        monkeypatch.setattr(lean, "_answer", away)
        monkeypatch.setattr("dashboard.api.views.report", away)

        monkeypatch.setattr(DailyTotalQuerySet, "hotels", away)
        for query, accept in [
            ("hotel_id=1", "application/json"),
            ("hotel_id=1", "text/html"),
            ("hotel_id=x", "text/html"),  # a page of refusals has the hotels too
        ]:
            client = Client(raise_request_exception=False)
            response = client.get(f"/dashboard?{query}", headers={"Accept": accept})

            assert response.status_code == 503
            assert int(response.headers["Retry-After"]) > 0


class TestKeptAnswers:
    def test_equal_what_the_full_view_says(self, api):
        DailyTotalFactory(day=date(2020, 1, 31))
        query = "/dashboard?hotel_id=1&year=2020&period=day"

        assert (
            api.get(query).content
            == lean.full_view(APIRequestFactory().get(query)).render().content
        )

    def test_change_with_the_stores(self, api):
        Ingestion.objects.create(pk=1)
        before = api.get("/dashboard?hotel_id=1&year=2020")
        DailyTotalFactory(day=date(2020, 1, 31))
        state = Ingestion.objects.current()
        state.advance(datetime(2020, 1, 1, tzinfo=UTC))
        state.save()

        after = api.get("/dashboard?hotel_id=1&year=2020")

        assert before.json()["total"]["bookings"] == 0
        assert after.json()["total"]["bookings"] == 3
        assert before.headers["ETag"] != after.headers["ETag"]

    def test_are_not_sent_to_who_has_them(self, api):
        query = "/dashboard?hotel_id=1&year=2020"  # this year may end between two requests
        etag = api.get(query).headers["ETag"]

        response = api.get(query, headers={"If-None-Match": etag})

        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == etag
        other = api.get(query, headers={"If-None-Match": '"other"'})
        assert other.status_code == 200

    @pytest.mark.parametrize(
        "accept", ["", "*/*", "application/json, text/plain, */*", "application/json"]
    )
    def test_are_for_every_program(self, api, accept):
        answer = api.get("/dashboard?hotel_id=1", headers={"Accept": accept})

        assert answer.headers["ETag"]
        assert api.get("/dashboard?hotel_id=1&format=json").headers["ETag"]

    @pytest.mark.parametrize("accept", ["application/xml", "application/json;indent=4"])
    def test_are_not_for_who_wants_another_form(self, api, accept):
        assert "ETag" not in api.get("/dashboard?hotel_id=1", headers={"Accept": accept}).headers

    def test_cost_one_query(self, api, django_assert_num_queries):
        api.get("/dashboard?hotel_id=1")

        with django_assert_num_queries(1, using="dashboard"):
            api.get("/dashboard?hotel_id=1")


class TestPage:
    def page(self, api, query):
        response = api.get(f"/dashboard?{query}", headers={"Accept": "text/html"})
        return response, response.content.decode()

    def test_shows_bars_for_months(self, api):
        DailyTotalFactory(day=date(2020, 8, 31))

        response, html = self.page(api, "hotel_id=1&year=2020")

        assert response.status_code == 200
        assert html.index("<svg") < html.index("ingested_through")
        for kind in ("bookings", "cancellations", "net"):
            bars = re.findall(rf'<rect class="{kind}" x="[0-9.]+" y', html)
            assert len(bars) == 12 + 1  # the last in the legend
        assert "2020-08: 3 booked, 1 cancelled, 2 net" in html

    def test_draws_bars_to_scale_also_below_zero(self, api):
        DailyTotalFactory(day=date(2020, 8, 31), bookings=5, cancellations=10)

        _, html = self.page(api, "hotel_id=1&year=2020&period=year")

        chart = html[: html.index("legend")]
        bars = re.findall(r'<rect class="(\w+)" x="[0-9.]+" y="[0-9.]+"(.*?)/>', chart)
        heights = {kind: float(re.search('height="(.*?)"', rest)[1]) for kind, rest in bars}
        assert heights["cancellations"] == pytest.approx(2 * heights["bookings"], abs=0.2)
        assert heights["net"] == pytest.approx(heights["bookings"], abs=0.2)
        assert heights["net"] > 50

    @pytest.mark.parametrize("period", ["month", "day", "year"])
    def test_parts_the_thousands_of_large_numbers(self, api, period):
        for year, bookings in ((2020, 12345), (2019, 54321)):
            DailyTotalFactory(day=date(year, 8, 31), bookings=bookings, cancellations=1000)

        _, html = self.page(api, f"hotel_id=1&year=2020&period={period}")

        seen = html[: html.index("response-info")]
        cells = "<td>12,345</td><td>1,000</td><td>11,345</td><td>53,321</td></tr>"
        assert seen.count(cells) == 2  # the row and the total
        assert not re.findall(r"12345|54321|11345|53321", seen)

    def test_shows_the_year_before_beside_it(self, api):
        DailyTotalFactory(day=date(2020, 8, 31), bookings=30)
        DailyTotalFactory(day=date(2019, 8, 1), bookings=10, cancellations=4)

        _, html = self.page(api, "hotel_id=1&year=2020")

        assert "30 booked, 1 cancelled, 29 net (2019: 10, 4, 6)" in html
        assert "+20 on 2019" in html
        assert "-3 on 2019" in html
        assert len(re.findall('class="before" x="[0-9.]+" y', html)) == 36

    @pytest.mark.parametrize(
        ("first", "words"),
        [
            (date(2018, 12, 31), "+2 on 2019<"),
            (date(2019, 1, 1), "-1 on 2019<"),
            (date(2019, 10, 3), "-1 on 2019, known from 3 Oct<"),
        ],
    )
    def test_says_when_the_year_before_is_known_in_part(self, api, first, words):
        DailyTotalFactory(day=date(2020, 8, 31), bookings=2, cancellations=0)
        DailyTotalFactory(day=first)
        DailyTotalFactory(day=first, hotel_id=2)

        _, html = self.page(api, "hotel_id=1&year=2020")

        assert words in html

    def test_compares_with_no_year_before_the_first(self, api):
        DailyTotalFactory(day=date(2020, 8, 31))

        _, html = self.page(api, "hotel_id=1&year=2020")

        assert "on 2019" not in html

    def test_shows_a_calendar_for_the_days_of_both_years(self, api):
        DailyTotalFactory(day=date(2020, 8, 31))

        _, html = self.page(api, "hotel_id=1&year=2020&period=day")

        assert len(re.findall(r'<rect class="level-\d" x=', html)) == 366 + 365
        assert "2020-08-31: 2 net (3 booked, 1 cancelled)" in html
        assert "<details><summary>The numbers of each day" in html

    def test_marks_a_day_of_more_cancellations_by_its_shape(self, api):
        DailyTotalFactory(day=date(2020, 8, 31), bookings=0, cancellations=1)

        _, html = self.page(api, "hotel_id=1&year=2020&period=day")

        assert len(re.findall(r'<rect class="level-less" x="\d+" y="\d+" width="15"', html)) == 1

    @pytest.mark.parametrize("period", ["month", "day", "year"])
    @pytest.mark.parametrize("year", [1, 9999])
    def test_has_an_end_of_time(self, api, period, year):
        response, html = self.page(api, f"hotel_id=1&year={year}&period={period}")

        assert response.status_code == 200
        assert ("Year before" in html, "Year after" in html) == (year == 9999, year == 1)

    def test_repeats_the_numbers_in_a_table(self, api):
        DailyTotalFactory(day=date(2020, 2, 29), bookings=3)
        DailyTotalFactory(day=date(2019, 2, 28), bookings=5)

        _, html = self.page(api, "hotel_id=1&year=2020&period=day")

        row = r'<th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td>'
        assert row.format("2020-02-28", 0, 0, 0, 4) in html
        assert row.format("2020-02-29", 3, 1, 2, "–") in html
        assert row.format("Total", 3, 1, 2, 4) in html
        assert html.count("<caption>") == 1

    @pytest.mark.parametrize("period", ["month", "day", "year"])
    def test_says_that_nothing_is_known_of_a_hotel(self, api, period):
        DailyTotalFactory(hotel_id=1)

        response, html = self.page(api, f"hotel_id=77&year=2020&period={period}")

        assert response.status_code == 200
        assert "No bookings of hotel 77 are known here." in html
        assert 'role="img"' not in html
        assert "Room-nights booked" not in html

    def test_leads_from_a_year_without_bookings_to_those_that_have_some(self, api):
        DailyTotalFactory(day=date(2018, 1, 1))
        DailyTotalFactory(day=date(2020, 1, 1), bookings=0, cancellations=1)

        _, html = self.page(api, "hotel_id=1&year=2019")

        sentence = html.partition("No bookings of hotel 1 are known in 2019. ")[2].partition(
            "</p>"
        )[0]
        assert re.findall(">([0-9]+)</a>", sentence) == ["2018", "2020"]
        assert 'role="img"' not in html
        assert "No bookings of hotel" not in self.page(api, "hotel_id=1&year=2020")[1]

    def test_leads_to_the_first_of_thousands_of_hotels(self, api):
        for hotel_id in range(1, 31):
            DailyTotalFactory(hotel_id=hotel_id)

        _, html = self.page(api, "hotel_id=7&year=2020&period=year")

        hotels = [str(hotel_id) for hotel_id in range(1, 21)]
        rest = "year=2020&amp;period=year&amp;by=night_of_stay"
        assert re.findall(r'<a href="\?hotel_id=(\d+)"', self.page(api, "")[1]) == hotels
        assert f'<a href="?hotel_id=20&amp;{rest}">20</a>' in html
        assert f'<a href="?hotel_id=7&amp;{rest}" aria-current="page">7</a>' in html
        assert f"hotel_id=21&amp;{rest}" not in html
        assert "and more: type the id" in html
        assert html.count("<option value=") > 30

    def test_leads_to_hotels_years_periods_and_the_other_reading(self, api):
        DailyTotalFactory(day=date(2018, 1, 1), hotel_id=1)
        DailyTotalFactory(day=date(2020, 1, 1), hotel_id=1)
        DailyTotalFactory(day=date(2020, 1, 1), hotel_id=7)

        _, html = self.page(api, "hotel_id=1&year=2020")

        assert re.findall(r'<option value="(\d+)">', html) == ["1", "7", "2018", "2020"]
        rest = "&amp;period=month&amp;by=night_of_stay"
        assert f'rel="prev" href="?hotel_id=1&amp;year=2019{rest}"' in html
        assert f'rel="next" href="?hotel_id=1&amp;year=2021{rest}"' in html
        assert 'href="?hotel_id=1&amp;year=2020&amp;period=day&amp;by=night_of_stay"' in html
        assert 'href="?hotel_id=1&amp;year=2020&amp;period=month&amp;by=timestamp"' in html
        assert f'href="?hotel_id=1&amp;year=2020{rest}&amp;format=csv"' in html

    def test_offers_the_hotels_when_none_is_asked_for(self, api):
        DailyTotalFactory(hotel_id=7)

        response, html = self.page(api, "")

        assert response.status_code == 200
        assert 'name="hotel_id" required' in html
        assert '<a href="?hotel_id=7">7</a>' in html
        assert "Choose a hotel." in html
        assert "HTTP " not in html
        assert "required." not in html

    def test_asks_for_the_hotel_of_a_year(self, api):
        response, html = self.page(api, "year=2020")

        assert response.status_code == 400
        assert "This field is required." in html

    def test_of_no_hotel_at_all_says_so(self, api):
        assert "No bookings of any hotel are known yet." in self.page(api, "")[1]

    def test_keeps_what_was_asked_in_its_form(self, api):
        _, html = self.page(api, "hotel_id=7&year=2020&period=day&by=timestamp")

        assert 'name="hotel_id" required value="7"' in html
        assert '<option value="day" selected>' in html
        assert '<option value="timestamp" selected>' in html

    def test_escapes_what_was_asked(self, api):
        _, html = self.page(api, "hotel_id=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")

        assert "<script>alert" not in html


class TestCSV:
    def test_has_a_line_for_each_row(self, api):
        DailyTotalFactory(day=date(2020, 8, 31))

        answer = api.get("/dashboard?hotel_id=1&year=2020&period=year&format=csv")

        assert answer.content == (
            b"hotel_id,by,year,bookings,cancellations,net\r\n1,night_of_stay,2020,3,1,2\r\n"
        )
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == (
            'attachment; filename="dashboard-hotel-1-2020-by-year.csv"'
        )

    @pytest.mark.parametrize("accept", ["text/csv", "text/csv, */*", "text/csv;q=0.9"])
    def test_is_for_who_accepts_it(self, api, accept):
        answer = api.get("/dashboard?hotel_id=1&period=day&year=2020", headers={"Accept": accept})

        assert len(answer.content.splitlines()) == 367
        assert answer.content.splitlines()[1] == b"1,night_of_stay,2020-01-01,0,0,0"

    def test_refuses_in_json(self, api):
        answer = api.get("/dashboard?hotel_id=one&format=csv")

        assert answer.status_code == 400
        assert answer.headers["Content-Type"] == "application/json"
        assert "Content-Disposition" not in answer.headers
        assert list(answer.json()) == ["hotel_id"]


class TestHotelsAndYears:
    def test_are_those_that_have_totals_and_bounded(self):
        for hotel_id, year, month in [
            (3, 2020, 1),
            (1, 2020, 1),
            (1, 2018, 1),
            (1, 2018, 12),
            (2, 9999, 12),
        ]:
            DailyTotalFactory(hotel_id=hotel_id, day=date(year, month, 31), reading="timestamp")

        assert DailyTotal.objects.hotels(9) == [1, 2, 3]
        assert DailyTotal.objects.hotels(2) == [1, 2]
        assert DailyTotal.objects.years(1, "timestamp", 9) == [2018, 2020]
        assert DailyTotal.objects.years(1, "timestamp", 1) == [2018]
        assert DailyTotal.objects.years(1, "night_of_stay", 9) == []
        assert DailyTotal.objects.years(2, "timestamp", 9) == [9999]


@given(
    rows=st.dictionaries(
        st.dates(date(2019, 12, 1), date(2021, 1, 31)),
        st.tuples(st.integers(0, 50), st.integers(0, 50)),
        max_size=12,
    ),
    year=st.sampled_from([2019, 2020, 2021]),
    period=st.sampled_from(["day", "month", "year"]),
)
def test_every_period_adds_up_to_the_days_of_the_year(rows, year, period):
    DailyTotal.objects.all().delete()
    for day, (bookings, cancellations) in rows.items():
        DailyTotalFactory(day=day, bookings=bookings, cancellations=cancellations)

    found = report(Question(1, period, year, "night_of_stay"), None)

    inside = [counts for day, counts in rows.items() if day.year == year]
    assert found["total"]["bookings"] == sum(bookings for bookings, _ in inside)
    assert found["total"]["cancellations"] == sum(cancelled for _, cancelled in inside)
    assert sum(row["net"] for row in found["data"]) == found["total"]["net"]
    by_name = {str(row[period]): row["bookings"] for row in found["data"]}
    for day, (bookings, _) in rows.items():
        if day.year == year and period == "day":
            assert by_name[str(day)] == bookings
    assert json.dumps(found)
