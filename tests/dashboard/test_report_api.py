import json
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.db import OperationalError, connections
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from dashboard.api.serializers import ReportSerializer
from dashboard.models import DailyTotal, DateBasis, Ingestion
from dashboard.services.report import Period, ReportQuery, build_report
from tests.dashboard.factories import DailyTotalFactory

pytestmark = pytest.mark.django_db(databases=["dashboard"])


class TestReport:
    def test_report_has_every_month_zeros_included(self, api):
        DailyTotalFactory(day=date(2020, 1, 31), bookings=3, cancellations=1)
        DailyTotalFactory(day=date(2020, 12, 31), bookings=2, cancellations=4)

        report = api.get("/dashboard?hotel_id=1&year=2020").json()

        assert [row["month"] for row in report["data"]] == [
            f"2020-{month:02}" for month in range(1, 13)
        ]
        assert report["data"][0] == {
            "month": "2020-01", "bookings": 3, "cancellations": 1, "net": 2
        }  # fmt: skip
        assert report["data"][1]["bookings"] == 0
        assert report["data"][11]["net"] == -2
        assert report["total"] == {"bookings": 5, "cancellations": 5, "net": 0}

    @pytest.mark.parametrize(("year", "days"), [(2019, 365), (2020, 366), (1, 365), (9999, 365)])
    def test_report_has_every_day_of_the_year(self, api, year, days):
        DailyTotalFactory(day=date(year, 12, 31), bookings=7, cancellations=0)

        data = api.get(f"/dashboard?hotel_id=1&period=day&year={year}").json()["data"]

        assert len(data) == days
        assert data[0]["day"] == f"{year:04}-01-01"
        assert data[-1] == {
            "day": f"{year:04}-12-31", "bookings": 7, "cancellations": 0, "net": 7
        }  # fmt: skip

    def test_report_of_a_year_has_one_row(self, api):
        DailyTotalFactory(day=date(2020, 2, 1))
        DailyTotalFactory(day=date(2020, 3, 1))
        DailyTotalFactory(day=date(2021, 1, 1))

        data = api.get("/dashboard?hotel_id=1&period=year&year=2020").json()["data"]

        assert data == [{"year": 2020, "bookings": 6, "cancellations": 2, "net": 4}]

    def test_report_counts_one_hotel_and_one_date_basis(self, api):
        DailyTotalFactory(day=date(2020, 1, 1), bookings=1)
        DailyTotalFactory(day=date(2020, 1, 1), bookings=10, date_basis="timestamp")
        DailyTotalFactory(day=date(2020, 1, 1), bookings=100, hotel_id=2)

        report = api.get("/dashboard?hotel_id=1&year=2020&by=timestamp").json()

        assert (report["by"], report["total"]["bookings"]) == ("timestamp", 10)

    def test_report_of_an_unknown_hotel_is_all_zeros_and_has_no_watermark(self, api):
        report = api.get("/dashboard?hotel_id=404&year=2020").json()

        assert report["total"] == {"bookings": 0, "cancellations": 0, "net": 0}
        assert report["ingested_through"] is None

    def test_report_has_the_watermark(self, api):
        Ingestion.objects.create(pk=1, watermark=datetime(2020, 12, 31, 23, 59, 59, tzinfo=UTC))

        assert api.get("/dashboard?hotel_id=1").json()["ingested_through"] == "2020-12-31T23:59:59Z"

    @time_machine.travel("2031-12-31T23:59:59Z", tick=False)
    def test_report_is_of_the_current_year_by_default(self, api):
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
    def test_invalid_parameter_is_rejected(self, api, query, name, slash):
        response = api.get(f"/dashboard{slash}?{query}")

        assert response.status_code == 400
        assert list(response.json()) == [name]

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_only_get_is_allowed(self, api, method):
        assert getattr(api, method)("/dashboard?hotel_id=1").status_code == 405

    def test_report_is_answered_with_503_if_the_database_is_unavailable(self):
        def fail(*args):
            raise OperationalError("connection refused")

        for query, accept in [
            ("hotel_id=1", "application/json"),
            ("hotel_id=1", "text/html"),
            ("hotel_id=x", "text/html"),  # the page with the error lists the hotels too
        ]:
            client = Client(raise_request_exception=False)
            with connections["dashboard"].execute_wrapper(fail):
                response = client.get(f"/dashboard?{query}", headers={"Accept": accept})

            assert response.status_code == 503
            assert int(response.headers["Retry-After"]) > 0


class TestCSV:
    def test_csv_has_one_line_per_row(self, api):
        DailyTotalFactory(day=date(2020, 8, 31))

        response = api.get("/dashboard?hotel_id=1&year=2020&period=year&format=csv")

        assert response.content == (
            b"hotel_id,by,year,bookings,cancellations,net\r\n1,night_of_stay,2020,3,1,2\r\n"
        )
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert response.headers["Content-Disposition"] == (
            'attachment; filename="dashboard-hotel-1-2020-by-year.csv"'
        )

    @pytest.mark.parametrize("accept", ["text/csv", "text/csv, */*", "text/csv;q=0.9"])
    def test_csv_is_sent_to_clients_that_accept_it(self, api, accept):
        response = api.get("/dashboard?hotel_id=1&period=day&year=2020", headers={"Accept": accept})

        assert len(response.content.splitlines()) == 367
        assert response.content.splitlines()[1] == b"1,night_of_stay,2020-01-01,0,0,0"

    def test_errors_are_json_if_csv_is_requested(self, api):
        response = api.get("/dashboard?hotel_id=one&format=csv")

        assert response.status_code == 400
        assert response.headers["Content-Type"] == "application/json"
        assert "Content-Disposition" not in response.headers
        assert list(response.json()) == ["hotel_id"]


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

    query = ReportQuery(1, Period(period), year, DateBasis.STAY_DATE)
    report = ReportSerializer(build_report(query)).data

    inside = [counts for day, counts in rows.items() if day.year == year]
    assert report["total"]["bookings"] == sum(bookings for bookings, _ in inside)
    assert report["total"]["cancellations"] == sum(cancelled for _, cancelled in inside)
    assert sum(row["net"] for row in report["data"]) == report["total"]["net"]
    by_name = {str(row[period]): row["bookings"] for row in report["data"]}
    for day, (bookings, _) in rows.items():
        if day.year == year and period == "day":
            assert by_name[str(day)] == bookings
    assert json.dumps(report)
