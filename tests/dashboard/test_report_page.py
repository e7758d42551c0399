import re
from datetime import date

import pytest
from rest_framework.test import APIRequestFactory

from dashboard.api.cached_view import full_view
from tests.dashboard.factories import DailyTotalFactory

pytestmark = pytest.mark.django_db(databases=["dashboard"])


class TestPage:
    def page(self, api, query):
        response = api.get(f"/dashboard?{query}", headers={"Accept": "text/html"})
        return response, response.content.decode()

    def test_page_shows_bars_for_months(self, api):
        DailyTotalFactory(day=date(2020, 8, 31))

        response, html = self.page(api, "hotel_id=1&year=2020")

        assert response.status_code == 200
        assert html.index("<svg") < html.index("ingested_through")
        for kind in ("bookings", "cancellations", "net"):
            bars = re.findall(rf'<rect class="{kind}" x="[0-9.]+" y', html)
            assert len(bars) == 12 + 1  # the last in the legend
        assert "2020-08: 3 booked, 1 cancelled, 2 net" in html

    def test_bars_are_to_scale_also_below_zero(self, api):
        DailyTotalFactory(day=date(2020, 8, 31), bookings=5, cancellations=10)

        _, html = self.page(api, "hotel_id=1&year=2020&period=year")

        chart = html[: html.index("legend")]
        bars = re.findall(r'<rect class="(\w+)" x="[0-9.]+" y="[0-9.]+"(.*?)/>', chart)
        heights = {kind: float(re.search('height="(.*?)"', rest)[1]) for kind, rest in bars}
        assert heights["cancellations"] == pytest.approx(2 * heights["bookings"], abs=0.2)
        assert heights["net"] == pytest.approx(heights["bookings"], abs=0.2)
        assert heights["net"] > 50

    @pytest.mark.parametrize("period", ["month", "day", "year"])
    def test_large_numbers_have_thousands_separators(self, api, period):
        for year, bookings in ((2020, 12345), (2019, 54321)):
            DailyTotalFactory(day=date(year, 8, 31), bookings=bookings, cancellations=1000)

        _, html = self.page(api, f"hotel_id=1&year=2020&period={period}")

        page = html[: html.index("response-info")]
        cells = "<td>12,345</td><td>1,000</td><td>11,345</td><td>53,321</td></tr>"
        assert page.count(cells) == 2  # the row and the total
        assert not re.findall(r"12345|54321|11345|53321", page)

    def test_renderer_of_the_page_needs_no_query(self, django_assert_num_queries):
        DailyTotalFactory(day=date(2020, 8, 31))
        request = APIRequestFactory().get(
            "/dashboard?hotel_id=1&year=2020", HTTP_ACCEPT="text/html"
        )
        response = full_view(request)

        with django_assert_num_queries(0, using="dashboard"):
            response.render()

        assert "2020-08: 3 booked, 1 cancelled, 2 net" in response.content.decode()

    def test_page_compares_with_the_year_before(self, api):
        DailyTotalFactory(day=date(2020, 8, 31), bookings=30)
        DailyTotalFactory(day=date(2019, 8, 1), bookings=10, cancellations=4)

        _, html = self.page(api, "hotel_id=1&year=2020")

        assert "30 booked, 1 cancelled, 29 net (2019: 10, 4, 6)" in html
        assert "+20 compared with 2019" in html
        assert "-3 compared with 2019" in html
        assert len(re.findall('class="before" x="[0-9.]+" y', html)) == 36

    @pytest.mark.parametrize(
        ("first", "words"),
        [
            (date(2018, 12, 31), "+2 compared with 2019<"),
            (date(2019, 1, 1), "-1 compared with 2019<"),
            (date(2019, 10, 3), "-1 compared with 2019 (data from 3 Oct)<"),
        ],
    )
    def test_page_shows_from_when_the_year_before_has_data(self, api, first, words):
        DailyTotalFactory(day=date(2020, 8, 31), bookings=2, cancellations=0)
        DailyTotalFactory(day=first)
        DailyTotalFactory(day=first, hotel_id=2)

        _, html = self.page(api, "hotel_id=1&year=2020")

        assert words in html

    def test_page_compares_with_no_year_without_data(self, api):
        DailyTotalFactory(day=date(2020, 8, 31))

        _, html = self.page(api, "hotel_id=1&year=2020")

        assert "on 2019" not in html

    def test_page_shows_a_calendar_of_both_years_for_days(self, api):
        DailyTotalFactory(day=date(2020, 8, 31))

        _, html = self.page(api, "hotel_id=1&year=2020&period=day")

        assert len(re.findall(r'<rect class="level-\d" x=', html)) == 366 + 365
        assert "2020-08-31: 3 booked, 1 cancelled, 2 net" in html
        assert "<details><summary>The numbers of each day" in html

    def test_calendar_marks_a_day_with_more_cancellations_than_bookings(self, api):
        DailyTotalFactory(day=date(2020, 8, 31), bookings=0, cancellations=1)

        _, html = self.page(api, "hotel_id=1&year=2020&period=day")

        assert len(re.findall(r'<rect class="level-less" x="\d+" y="\d+" width="15"', html)) == 1

    @pytest.mark.parametrize("period", ["month", "day", "year"])
    @pytest.mark.parametrize("year", [1, 9999])
    def test_page_works_for_the_first_and_the_last_year(self, api, period, year):
        response, html = self.page(api, f"hotel_id=1&year={year}&period={period}")

        assert response.status_code == 200
        assert ("Previous year" in html, "Next year" in html) == (year == 9999, year == 1)

    def test_table_has_the_numbers_of_the_chart(self, api):
        DailyTotalFactory(day=date(2020, 2, 29), bookings=3)
        DailyTotalFactory(day=date(2019, 2, 28), bookings=5)

        _, html = self.page(api, "hotel_id=1&year=2020&period=day")

        row = r'<th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td>'
        assert row.format("2020-02-28", 0, 0, 0, 4) in html
        assert row.format("2020-02-29", 3, 1, 2, "–") in html
        assert row.format("Total", 3, 1, 2, 4) in html
        assert html.count("<caption>") == 1

    @pytest.mark.parametrize("period", ["month", "day", "year"])
    def test_page_says_that_a_hotel_has_no_bookings(self, api, period):
        DailyTotalFactory(hotel_id=1)

        response, html = self.page(api, f"hotel_id=77&year=2020&period={period}")

        assert response.status_code == 200
        assert "There are no bookings of hotel 77." in html
        assert 'role="img"' not in html
        assert "Room-nights booked" not in html

    def test_page_of_a_year_without_bookings_links_to_years_with_bookings(self, api):
        DailyTotalFactory(day=date(2018, 1, 1))
        DailyTotalFactory(day=date(2020, 1, 1), bookings=0, cancellations=1)

        _, html = self.page(api, "hotel_id=1&year=2019")

        sentence = html.partition("There are no bookings of hotel 1 in 2019. ")[2].partition(
            "</p>"
        )[0]
        assert re.findall(">([0-9]+)</a>", sentence) == ["2018", "2020"]
        assert 'role="img"' not in html
        assert "There are no bookings of hotel" not in self.page(api, "hotel_id=1&year=2020")[1]

    def test_page_links_to_the_first_hotels_of_many(self, api):
        for hotel_id in range(1, 31):
            DailyTotalFactory(hotel_id=hotel_id)

        _, html = self.page(api, "hotel_id=7&year=2020&period=year")

        hotels = [str(hotel_id) for hotel_id in range(1, 21)]
        rest = "year=2020&amp;period=year&amp;by=night_of_stay"
        assert re.findall(r'<a href="\?hotel_id=(\d+)"', self.page(api, "")[1]) == hotels
        assert f'<a href="?hotel_id=20&amp;{rest}">20</a>' in html
        assert f'<a href="?hotel_id=7&amp;{rest}" aria-current="page">7</a>' in html
        assert f"hotel_id=21&amp;{rest}" not in html
        assert "and others: type the id" in html
        assert html.count("<option value=") > 30

    def test_page_links_to_hotels_years_periods_and_the_other_date_basis(self, api):
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

    def test_page_without_a_hotel_lists_the_hotels(self, api):
        DailyTotalFactory(hotel_id=7)

        response, html = self.page(api, "")

        assert response.status_code == 200
        assert 'name="hotel_id" required' in html
        assert '<a href="?hotel_id=7">7</a>' in html
        assert "Choose a hotel." in html
        assert "HTTP " not in html
        assert "required." not in html

    def test_page_with_only_a_year_asks_for_the_hotel(self, api):
        response, html = self.page(api, "year=2020")

        assert response.status_code == 400
        assert "This field is required." in html

    def test_page_without_any_data_says_so(self, api):
        assert "There are no bookings of any hotel yet." in self.page(api, "")[1]

    def test_form_keeps_the_parameters(self, api):
        _, html = self.page(api, "hotel_id=7&year=2020&period=day&by=timestamp")

        assert 'name="hotel_id" required value="7"' in html
        assert '<option value="day" selected>' in html
        assert '<option value="timestamp" selected>' in html

    def test_parameters_are_escaped(self, api):
        _, html = self.page(api, "hotel_id=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")

        assert "<script>alert" not in html
