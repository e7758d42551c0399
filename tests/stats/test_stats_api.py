import re

import pytest

from stats.api.pages import BARS_WIDTH, HEIGHT
from tests.stats.factories import message_json
from tests.stats.test_messages_api import walk

pytestmark = pytest.mark.django_db(transaction=True)


def on(day, **fields):
    return message_json(timestamp=f"{day}T12:00:00Z", **fields)


@pytest.fixture
def stats(http):
    """Return a function that gets the statistics of a few messages."""
    http.post(
        "/messages/batch",
        [
            on("2026-01-30", amount="1.000"),
            on("2026-01-31", amount="0.100"),
            on("2026-02-01", amount="0.010"),
            on("2026-01-31", customerId=1, type="B"),
            on("2026-01-31", customerId=2),
            on("2025-01-31", customerId=2),
        ],
    )
    return lambda **query: [tuple(row.values()) for row in http.get("/stats", **query).json]


class TestGetStats:
    def test_stats_are_summed_per_customer_and_type(self, stats):
        assert stats() == [
            (1, "A", 3, "1.110"),
            (1, "B", 1, "0.012"),
            (2, "A", 2, "0.024"),
        ]

    def test_stats_can_be_filtered_by_customer_and_type(self, stats):
        assert stats(customerId=1, type="B") == [(1, "B", 1, "0.012")]
        assert stats(customerId=3) == []

    def test_first_and_last_day_are_included(self, stats):
        assert stats(**{"from": "2026-01-30", "to": "2026-01-31"}, type="A") == [
            (1, "A", 2, "1.100"),
            (2, "A", 1, "0.012"),
        ]

    def test_each_bound_can_be_omitted(self, stats):
        assert stats(**{"from": "2026-02-01"}) == [(1, "A", 1, "0.010")]
        assert stats(to="2025-12-31") == [(2, "A", 1, "0.012")]

    def test_stats_can_be_split_by_day(self, stats):
        assert stats(interval="day", customerId=1, type="A") == [
            (1, "A", "2026-01-30", 1, "1.000"),
            (1, "A", "2026-01-31", 1, "0.100"),
            (1, "A", "2026-02-01", 1, "0.010"),
        ]

    def test_stats_can_be_split_by_month(self, stats):
        assert stats(interval="month") == [
            (1, "A", "2026-01", 2, "1.100"),
            (1, "A", "2026-02", 1, "0.010"),
            (1, "B", "2026-01", 1, "0.012"),
            (2, "A", "2025-01", 1, "0.012"),
            (2, "A", "2026-01", 1, "0.012"),
        ]

    @pytest.mark.parametrize("interval", [{}, {"interval": "day"}, {"interval": "month"}])
    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_pages_have_the_same_rows_as_the_whole_list(self, http, stats, interval, limit):
        whole = http.get("/stats", **interval).json

        rows, pages = walk(http, "/stats", limit=limit, **interval)

        assert rows == whole
        assert pages == -(-len(whole) // limit)

    def test_pages_work_with_every_text_as_type(self, http):
        http.post(
            "/messages/batch", [message_json(type=type) for type in ("", "é", "%s", "🙂", '"')]
        )

        rows, _ = walk(http, "/stats", limit=1)

        assert len(rows) == 5

    def test_amounts_are_added_exactly(self, http):
        http.post(
            "/messages/batch",
            [message_json(amount=amount) for amount in ("0.100", "0.200", "999999999.999")],
        )

        assert http.get("/stats").json[0]["totalAmount"] == "1000000000.299"

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ("from=2026-02-01&to=2026-01-31", "from"),
            ("from=2026-02-30", "from"),
            ("to=tomorrow", "to"),
            ("from=0000-01-01", "from"),
            ("from=10000-01-01", "from"),
            ("from=2026-1-1", "from"),
            ("to=20260101", "to"),
            ("to=2026-W01-1", "to"),
            ("from=%EF%BC%92026-01-01", "from"),  # a full-width 2
            ("interval=year", "interval"),
            ("customerId=x", "customerId"),
            ("customerId=9223372036854775808", "customerId"),
            ("type=a%00", "type"),
            ("customer=1", "customer"),
            ("to=2026-01-01&to=2026-01-02", "to"),
            ("cursor=WzEsIlx1MDAwMCJd", "cursor"),
            ("cursor=WzEsIlx1ZDgwMCJd", "cursor"),
            ("limit=10001", "limit"),
        ],
    )
    def test_invalid_stats_parameter_gets_400_that_names_it(self, http, query, name):
        answer = http.client.get(f"/stats?{query}", headers=http.headers)

        assert answer.status_code == 400
        assert list(answer.json) == [name]

    def test_browser_gets_a_page_with_the_numbers(self, http, stats):
        page = http.client.get("/stats/?interval=month", headers={"Accept": "text/html"})

        assert page.status_code == 200
        assert "2026-01" in page.text


@pytest.fixture
def page(api, stats):
    """Return a function that gets the HTML page."""

    def get(**query):
        response = api.get("/stats", query, headers={"Accept": "text/html"})
        return response.content.decode()

    return get


def points(html):
    """Return the height above zero of each line's points, chart by chart."""
    lines = re.findall(r'<polyline points="([0-9., ]+) "', html)
    return [[HEIGHT - float(point.split(",")[1]) for point in line.split()] for line in lines]


class TestPage:
    def test_page_shows_exact_sums_of_the_whole_report(self, page):
        html = page(limit=1)

        assert "<dt>Messages</dt><dd>6</dd>" in html
        assert "<dt>Amount</dt><dd>1.146</dd>" in html
        assert re.search("This page</th><td>3</td><td>1.110</td>", html)
        assert re.search("Total</th><td>6</td><td>1.146</td>", html)
        assert re.search(r'rel="next" href="http://testserver/stats\?limit=1&amp;cursor=', html)

    def test_page_draws_a_bar_for_each_customer_and_type(self, page):
        html = page()

        assert re.findall(r"<title>customer (.*): (.*)</title>", html) == [
            ("1, type A", "1.110"),
            ("2, type A", "0.024"),
            ("1, type B", "0.012"),
            ("1, type A", "3"),
            ("2, type A", "2"),
            ("1, type B", "1"),
        ]
        assert re.findall(r'class="bookings" x="0" y="\d+" width="([0-9.]+)"', html)[3:] == [
            str(float(BARS_WIDTH)), str(BARS_WIDTH * 2 / 3), str(BARS_WIDTH / 3)
        ]  # fmt: skip

    def test_page_draws_a_line_for_each_type_with_empty_months(self, page):
        html = page(interval="month")

        a, b, a_counts, b_counts = points(html)
        assert len(a) == len(b) == 14  # from January 2025 to February 2026
        assert [place for place, height in enumerate(a_counts) if height] == [0, 12, 13]
        assert a_counts[12] == pytest.approx(3 * a_counts[0], abs=0.3)
        assert [place for place, height in enumerate(b_counts) if height] == [12]
        assert "<title>2026-01\nA: 1.112\nB: 0.012</title>" in html
        assert "<title>2026-01\nA: 3\nB: 1</title>" in html

    def test_page_draws_the_days_that_have_messages_of_the_customer(self, page):
        html = page(interval="day", **{"from": "2026-01-01"}, customerId=1)

        assert [len(line) for line in points(html)] == [3, 3, 3, 3]
        assert "<title>2026-01-30\nA: 1.000\nB: 0.000</title>" in html

    def test_page_adds_up_the_smaller_types(self, http, page):
        for number in range(6):
            http.post("/messages", on("2026-01-31", type=f"T{number}", amount=f"{9 - number}.000"))

        html = page(interval="month", to="2026-01-31")

        assert re.findall("</svg> (.*?)</span>", html) == [
            "T0", "T1", "T2", "T3", "T4", "all others"
        ]  # fmt: skip
        assert "all others: 5.124</title>" in html
        assert "all others: 5</title>" in html
        assert len(points(html)) == 12

    def test_page_draws_no_chart_of_too_many_periods(self, http, page):
        http.post("/messages", on("0001-01-01"))

        text = page(interval="day", customerId=1)
        assert "Too many days for a chart. It shows at most 100: choose a shorter time, or" in text
        assert 'href="?interval=month&amp;customerId=1">split by month</a>' in text
        assert "Too many months for a chart" in page(interval="month")
        assert "<polyline" not in page(interval="month")

    @pytest.mark.parametrize(("first", "lines"), [("2025-10-24", 2), ("2025-10-23", 0)])
    def test_page_draws_at_most_100_days(self, http, page, first, lines):
        http.post("/messages", on(first))

        html = page(interval="day", customerId=1, type="A", to="2026-01-31")

        assert len(points(html)) == lines
        assert ("Too many days" in html) == (lines == 0)

    def test_page_groups_the_digits_of_large_amounts(self, page, http):
        http.post("/messages", on("2026-01-31", customerId=3, amount="123456.789"))

        html = page(customerId=3)

        assert "<dd>123,456.789</dd>" in html
        assert "customer 3, type A: 123,456.789</title>" in html
        assert html.count("<td>1</td><td>123,456.789</td></tr>") == 2  # the row and the total

    def test_page_says_how_many_rows_the_download_has(self, page):
        assert "Download the 3 rows as CSV" in page()
        html = page(limit=2)
        assert "Download the 2 rows of this page as CSV" in html
        assert html.index("Next page of rows") < html.index("<h3>")

    def test_page_has_a_table_of_the_rows(self, page):
        html = page(interval="month", customerId=2)

        rows = re.findall(
            r'row">2</th><td class="text">A</td><td>(.*?)</td><td>1</td><td>(.*?)</td>', html
        )
        assert rows == [("2025-01", "0.012"), ("2026-01", "0.012")]
        assert "This page" not in html

    def test_page_form_keeps_the_query(self, page):
        html = page(interval="day", type="A", to="2026-02-01")

        assert 'name="type" maxlength="255" value="A"' in html
        assert 'name="to" value="2026-02-01"' in html
        assert '<option value="day" selected>' in html
        assert 'href="?interval=day&amp;type=A&amp;to=2026-02-01&amp;format=csv"' in html

    def test_page_without_messages_says_so(self, page):
        assert "No messages." in page(customerId=404)
        assert "No messages." in page(customerId=404, interval="month")

    def test_page_escapes_types(self, http, page):
        http.post("/messages", on("2026-01-31", type="<script>alert(1)</script>"))

        for interval in ({}, {"interval": "month"}):
            assert "<script>alert" not in page(**interval)
            assert "&lt;script&gt;alert" in page(**interval)

    def test_page_of_an_invalid_query_has_the_form_and_the_error(self, page):
        html = page(interval="week")

        assert 'name="interval"' in html
        assert "day or month" in html

    def test_page_needs_at_most_four_queries(self, page, django_assert_max_num_queries):
        with django_assert_max_num_queries(4):
            page(interval="month")


class TestCSV:
    def test_csv_has_a_line_for_each_row_of_the_page(self, api, stats):
        answer = api.get(
            "/stats?interval=month&customerId=2&limit=1", headers={"Accept": "text/csv"}
        )

        assert (
            answer.content == b"customerId,type,month,count,totalAmount\r\n2,A,2025-01,1,0.012\r\n"
        )
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="stats-by-month.csv"'
        assert "cursor=" in answer.headers["Link"]

    def test_next_link_of_a_csv_page_gives_csv(self, api, stats):
        lines, path = [], "/stats?limit=1&format=csv"
        while path:
            answer = api.get(path)
            lines += answer.content.decode().splitlines()[1:]
            path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")

        assert lines == ["1,A,3,1.110", "1,B,1,0.012", "2,A,2,0.024"]

    def test_csv_without_messages_has_its_header(self, api):
        assert api.get("/stats?format=csv").content == b"customerId,type,count,totalAmount\r\n"

    def test_csv_escapes_a_type_that_is_a_formula(self, http, api):
        http.post("/messages", on("2026-01-31", type='=HYPERLINK("http://x","y")'))

        assert b"""1,"'=HYPERLINK(""http://x"",""y"")",1,0.012\r\n""" in (
            api.get("/stats?format=csv").content
        )

    def test_error_of_a_csv_request_is_json(self, api):
        answer = api.get("/stats?interval=week", headers={"Accept": "text/csv"})

        assert answer.status_code == 400
        assert list(answer.json()) == ["interval"]
