import pytest

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
