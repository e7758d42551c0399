import gzip
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from dataprovider.api.serializers import EventSerializer
from dataprovider.management.commands.load_events import parse_fast
from dataprovider.models import API_FIELDS, Event
from tests.dataprovider.factories import EventFactory

pytestmark = pytest.mark.django_db(databases=["dataprovider"])

SAMPLE = """\
room_reservation_id,night_of_stay,id,status,event_timestamp,hotel_id
5b98ee3c-79cb-5479-8c5c-5bebb034f91c,2016-02-25,1,1,2014-03-18 10:59:37,1
5b98ee3c-79cb-5479-8c5c-5bebb034f91c,2016-02-26,2,2,2014-03-18 10:59:37,1
"""


def load(path):
    out = StringIO()
    call_command("load_events", str(path), stdout=out)
    return out.getvalue()


class TestLoadEvents:
    def test_dry_run_counts_the_lines_and_stores_nothing(self, tmp_path):
        (tmp_path / "events.csv").write_text(f"{SAMPLE}room,2016-02-30,3,1,2014-03-18,1\n")
        out = StringIO()

        call_command("load_events", str(tmp_path / "events.csv"), "--dry-run", stdout=out)

        assert out.getvalue() == "The file has 2 valid events. 1 lines are invalid.\n"
        assert not Event.objects.exists()

    def test_command_loads_the_sample_layout(self, tmp_path):
        (tmp_path / "events.csv").write_text(SAMPLE)

        output = load(tmp_path / "events.csv")

        assert "Loaded 2 events. 0 were loaded before. 0 invalid lines were skipped." in output
        first = Event.objects.get(id=1)
        assert first.room_id == "5b98ee3c-79cb-5479-8c5c-5bebb034f91c"
        assert first.timestamp == datetime(2014, 3, 18, 10, 59, 37, tzinfo=UTC)
        assert Event.objects.get(id=2).rpg_status == 2

    def test_command_loads_a_compressed_file(self, tmp_path):
        (tmp_path / "events.csv.gz").write_bytes(gzip.compress(SAMPLE.encode()))

        assert "Loaded 2 events" in load(tmp_path / "events.csv.gz")

    def test_command_loads_columns_with_the_names_of_the_api_in_any_order(self, tmp_path):
        (tmp_path / "events.csv").write_text(
            "\ufeffhotel_id,room_id,timestamp,rpg_status,night_of_stay,id\n"
            "2,7,2020-01-01T00:00:00+02:00,1,2020-01-01,5\n",
            encoding="utf-8",
        )

        load(tmp_path / "events.csv")

        assert Event.objects.get().timestamp == datetime(2019, 12, 31, 22, tzinfo=UTC)

    def test_loading_a_file_twice_stores_each_event_once(self, tmp_path):
        (tmp_path / "events.csv").write_text(SAMPLE)
        load(tmp_path / "events.csv")

        assert "Loaded 0 events. 2 were loaded before." in load(tmp_path / "events.csv")
        assert Event.objects.count() == 2

    def test_invalid_lines_are_reported_with_their_number_and_skipped(self, tmp_path, capsys):
        EventFactory(id=1)
        (tmp_path / "events.csv").write_text(
            SAMPLE
            + "a,2016-02-30,3,1,2014-03-18 10:59:37,1\n"
            + "a,2016-02-26,,1,2014-03-18 10:59:37,1\n"
            + "a,2016-02-26,4,7,2014-03-18 10:59:37,1\n"
            + "short\n"
            + "a,2016-02-26,5,1,2014-03-18 10:59:37,1\n"
        )

        output = load(tmp_path / "events.csv")

        assert "Loaded 2 events. 0 were loaded before. 5 invalid lines were skipped." in output
        lines = capsys.readouterr().err
        assert "line 2: event 1 is already stored with other content" in lines
        assert "line 4: night_of_stay: Must be an ISO 8601 date" in lines
        assert "line 5: id: This field is required." in lines
        assert "line 6: rpg_status:" in lines
        assert "line 7: " in lines
        assert set(Event.objects.values_list("id", flat=True)) == {1, 2, 5}

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "The file is empty"),
            (b"id,hotel\n1,2\n", "missing: hotel_id"),
            (b"\xff\xfe\x00", "missing: hotel_id, id"),
            (b"id,id,hotel_id,room_id,timestamp,rpg_status,night_of_stay\n", "a column twice"),
        ],
    )
    def test_command_fails_if_the_columns_are_not_usable(self, tmp_path, content, reason):
        (tmp_path / "events.csv").write_bytes(content)

        with pytest.raises(CommandError, match=reason):
            load(tmp_path / "events.csv")

    def test_command_fails_if_the_file_does_not_exist(self, tmp_path):
        with pytest.raises(CommandError, match="No such file"):
            load(tmp_path / "none.csv")

    def test_events_before_a_truncated_end_are_stored(self, tmp_path):
        torn = gzip.compress(SAMPLE.encode())[:-5]
        (tmp_path / "events.csv.gz").write_bytes(torn)

        with pytest.raises(CommandError, match="2 events were loaded before"):
            load(tmp_path / "events.csv.gz")

        assert Event.objects.count() == 2

    def test_line_that_is_not_utf8_or_too_long_is_skipped(self, tmp_path, capsys):
        line = b"a,2016-02-26,%d,1,2014-03-18 10:59:37,1\n"
        (tmp_path / "events.csv").write_bytes(
            SAMPLE.encode()
            + (line % 3).replace(b"a", b"\xff", 1)
            + (line % 4).replace(b"a", b"a" * 200_000, 1)
            + (line % 5).replace(b"\n", b",more\n")
            + line % 6
        )

        output = load(tmp_path / "events.csv")

        assert "Loaded 3 events. 0 were loaded before. 3 invalid lines were skipped." in output
        lines = capsys.readouterr().err
        assert "line 4: not UTF-8" in lines
        assert "line 5: room_id: Ensure this field has no more than 64 characters." in lines
        assert "line 6: more fields than columns" in lines


TEXTS = st.one_of(
    st.sampled_from(["1", "-1", "007", "2", "9223372036854775807", "9223372036854775808", "1.0"]),
    st.sampled_from(["2020-01-01", "2020-02-30", "2020-01-01T10:00", "2020-01-01 10:00:37"]),
    st.sampled_from(["2020-01-01T10:00:00+02:00", "2020-01-01T10:00:00Z", "0001-01-01", "x" * 65]),
    st.text(max_size=5),
)


@given(content=st.fixed_dictionaries(dict.fromkeys(API_FIELDS, TEXTS)))
def test_fast_parser_returns_what_the_serializer_returns(content):
    parsed = parse_fast(content)
    if parsed is not None:
        try:
            assert parsed == dict(EventSerializer().run_validation(content))
        except ValidationError as error:
            raise AssertionError(f"{content}: {error}") from error
