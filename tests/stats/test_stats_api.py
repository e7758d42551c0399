import re

import pytest

from stats.api.pages import BARS_WIDTH as WIDEST
from stats.api.pages import HEIGHT
from tests.stats.factories import sent
from tests.stats.test_messages_api import walk

pytestmark = pytest.mark.django_db(transaction=True)


def on(day, **fields):
    return sent(timestamp=f"{day}T12:00:00Z", **fields)


@pytest.fixture
def stats(http):
    """Ask for statistics of a few messages."""
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
    return lambda **asked: [tuple(row.values()) for row in http.get("/stats", **asked).json]


class TestGetStats:
    def test_sums_per_customer_and_type(self, stats):
        assert stats() == [
            (1, "A", 3, "1.110"),
            (1, "B", 1, "0.012"),
            (2, "A", 2, "0.024"),
        ]

    def test_filters_by_customer_and_type(self, stats):
        assert stats(customerId=1, type="B") == [(1, "B", 1, "0.012")]
        assert stats(customerId=3) == []

    def test_takes_both_days_of_an_interval_whole(self, stats):
        assert stats(**{"from": "2026-01-30", "to": "2026-01-31"}, type="A") == [
            (1, "A", 2, "1.100"),
            (2, "A", 1, "0.012"),
        ]

    def test_takes_an_open_interval(self, stats):
        assert stats(**{"from": "2026-02-01"}) == [(1, "A", 1, "0.010")]
        assert stats(to="2025-12-31") == [(2, "A", 1, "0.012")]

    def test_splits_by_day(self, stats):
        assert stats(interval="day", customerId=1, type="A") == [
            (1, "A", "2026-01-30", 1, "1.000"),
            (1, "A", "2026-01-31", 1, "0.100"),
            (1, "A", "2026-02-01", 1, "0.010"),
        ]

    def test_splits_by_month(self, stats):
        assert stats(interval="month") == [
            (1, "A", "2026-01", 2, "1.100"),
            (1, "A", "2026-02", 1, "0.010"),
            (1, "B", "2026-01", 1, "0.012"),
            (2, "A", "2025-01", 1, "0.012"),
            (2, "A", "2026-01", 1, "0.012"),
        ]

    @pytest.mark.parametrize("interval", [{}, {"interval": "day"}, {"interval": "month"}])
    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_pages_hold_the_same_rows(self, http, stats, interval, limit):
        whole = http.get("/stats", **interval).json

        rows, pages = walk(http, "/stats", limit=limit, **interval)

        assert rows == whole
        assert pages == -(-len(whole) // limit)

    def test_pages_take_types_of_any_text(self, http):
        http.post("/messages/batch", [sent(type=type) for type in ("", "é", "%s", "🙂", '"')])

        rows, _ = walk(http, "/stats", limit=1)

        assert len(rows) == 5

    def test_adds_exactly(self, http):
        http.post(
            "/messages/batch", [sent(amount=it) for it in ("0.100", "0.200", "999999999.999")]
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
    def test_refuses_a_parameter_by_its_name(self, http, query, name):
        answer = http.client.get(f"/stats?{query}", headers=http.headers)

        assert answer.status_code == 400
        assert list(answer.json) == [name]

    def test_shows_a_page_to_a_person(self, http, stats):
        page = http.client.get("/stats/?interval=month", headers={"Accept": "text/html"})

        assert page.status_code == 200
        assert "2026-01" in page.text


@pytest.fixture
def page(api, stats):
    """Ask as a browser does."""

    def ask(**asked):
        response = api.get("/stats", asked, headers={"Accept": "text/html"})
        return response.content.decode()

    return ask


def points(html):
    """The height above zero of each line's points, chart by chart."""
    lines = re.findall(r'<polyline points="([0-9., ]+) "', html)
    return [[HEIGHT - float(point.split(",")[1]) for point in line.split()] for line in lines]


class TestPage:
    def test_sums_exactly_all_that_was_asked_for(self, page):
        html = page(limit=1)

        assert "<dt>Messages</dt><dd>6</dd>" in html
        assert "<dt>Amount</dt><dd>1.146</dd>" in html
        assert re.search("This page</th><td>3</td><td>1.110</td>", html)
        assert re.search("Total</th><td>6</td><td>1.146</td>", html)
        assert re.search(r'rel="next" href="http://testserver/stats\?limit=1&amp;cursor=', html)

    def test_draws_a_bar_for_each_customer_and_type(self, page):
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
            str(float(WIDEST)), str(WIDEST * 2 / 3), str(WIDEST / 3)
        ]  # fmt: skip

    def test_draws_a_line_for_each_type_with_the_empty_months(self, page):
        html = page(interval="month")

        a, b, a_counts, b_counts = points(html)
        assert len(a) == len(b) == 14  # from January 2025 to February 2026
        assert [place for place, height in enumerate(a_counts) if height] == [0, 12, 13]
        assert a_counts[12] == pytest.approx(3 * a_counts[0], abs=0.3)
        assert [place for place, height in enumerate(b_counts) if height] == [12]
        assert "<title>2026-01\nA: 1.112\nB: 0.012</title>" in html
        assert "<title>2026-01\nA: 3\nB: 1</title>" in html

    def test_draws_the_days_of_what_was_asked_for(self, page):
        html = page(interval="day", **{"from": "2026-01-01"}, customerId=1)

        assert [len(line) for line in points(html)] == [3, 3, 3, 3]
        assert "<title>2026-01-30\nA: 1.000\nB: 0.000</title>" in html

    def test_adds_up_the_smaller_types(self, http, page):
        for number in range(6):
            http.post("/messages", on("2026-01-31", type=f"T{number}", amount=f"{9 - number}.000"))

        html = page(interval="month", to="2026-01-31")

        assert re.findall("</svg> (.*?)</span>", html) == [
            "T0", "T1", "T2", "T3", "T4", "all others"
        ]  # fmt: skip
        assert "all others: 5.124</title>" in html
        assert "all others: 5</title>" in html
        assert len(points(html)) == 12

    def test_draws_no_more_than_can_be_seen(self, http, page):
        http.post("/messages", on("0001-01-01"))

        text = page(interval="day", customerId=1)
        assert "Too many days to draw; ask for at most 100, or" in text
        assert 'href="?interval=month&amp;customerId=1">split by month</a>' in text
        assert "Too many months to draw" in page(interval="month")
        assert "<polyline" not in page(interval="month")

    @pytest.mark.parametrize(("first", "lines"), [("2025-10-24", 2), ("2025-10-23", 0)])
    def test_draws_a_hundred_days(self, http, page, first, lines):
        http.post("/messages", on(first))

        html = page(interval="day", customerId=1, type="A", to="2026-01-31")

        assert len(points(html)) == lines
        assert ("Too many days" in html) == (lines == 0)

    def test_parts_the_thousands_of_large_amounts(self, page, http):
        http.post("/messages", on("2026-01-31", customerId=3, amount="123456.789"))

        html = page(customerId=3)

        assert "<dd>123,456.789</dd>" in html
        assert "customer 3, type A: 123,456.789</title>" in html
        assert html.count("<td>1</td><td>123,456.789</td></tr>") == 2  # the row and the total

    def test_says_how_many_rows_the_download_has(self, page):
        assert "Download the 3 rows as CSV" in page()
        html = page(limit=2)
        assert "Download the 2 rows of this page as CSV" in html
        assert html.index("Next page of rows") < html.index("<h3>")

    def test_repeats_the_rows_in_a_table(self, page):
        html = page(interval="month", customerId=2)

        rows = re.findall(
            r'row">2</th><td class="text">A</td><td>(.*?)</td><td>1</td><td>(.*?)</td>', html
        )
        assert rows == [("2025-01", "0.012"), ("2026-01", "0.012")]
        assert "This page" not in html

    def test_keeps_what_was_asked_in_its_form(self, page):
        html = page(interval="day", type="A", to="2026-02-01")

        assert 'name="type" maxlength="255" value="A"' in html
        assert 'name="to" value="2026-02-01"' in html
        assert '<option value="day" selected>' in html
        assert 'href="?interval=day&amp;type=A&amp;to=2026-02-01&amp;format=csv"' in html

    def test_of_nothing_says_so(self, page):
        assert "No messages." in page(customerId=404)
        assert "No messages." in page(customerId=404, interval="month")

    def test_escapes_types(self, http, page):
        http.post("/messages", on("2026-01-31", type="<script>alert(1)</script>"))

        for interval in ({}, {"interval": "month"}):
            assert "<script>alert" not in page(**interval)
            assert "&lt;script&gt;alert" in page(**interval)

    def test_of_a_refusal_keeps_the_form(self, page):
        html = page(interval="week")

        assert 'name="interval"' in html
        assert "Not allowed" in html

    def test_has_few_queries(self, page, django_assert_max_num_queries):
        with django_assert_max_num_queries(4):
            page(interval="month")


class TestCSV:
    def test_has_a_line_for_each_row_of_the_page(self, api, stats):
        answer = api.get(
            "/stats?interval=month&customerId=2&limit=1", headers={"Accept": "text/csv"}
        )

        assert (
            answer.content == b"customerId,type,month,count,totalAmount\r\n2,A,2025-01,1,0.012\r\n"
        )
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="stats-by-month.csv"'
        assert "cursor=" in answer.headers["Link"]

    def test_leads_on_as_csv(self, api, stats):
        lines, path = [], "/stats?limit=1&format=csv"
        while path:
            answer = api.get(path)
            lines += answer.content.decode().splitlines()[1:]
            path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")

        assert lines == ["1,A,3,1.110", "1,B,1,0.012", "2,A,2,0.024"]

    def test_of_nothing_has_its_header(self, api):
        assert api.get("/stats?format=csv").content == b"customerId,type,count,totalAmount\r\n"

    def test_keeps_spreadsheets_from_running_a_type(self, http, api):
        http.post("/messages", on("2026-01-31", type='=HYPERLINK("http://x","y")'))

        assert b"""1,"'=HYPERLINK(""http://x"",""y"")",1,0.012\r\n""" in (
            api.get("/stats?format=csv").content
        )

    def test_refuses_in_json(self, api):
        answer = api.get("/stats?interval=week", headers={"Accept": "text/csv"})

        assert answer.status_code == 400
        assert list(answer.json()) == ["interval"]
