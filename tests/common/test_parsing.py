from datetime import UTC, datetime, timedelta

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from common.api.parsing import check_parameters, to_instant, to_whole_number


class TestToInstant:
    @pytest.mark.parametrize(
        ("text", "first", "last"),
        [
            ("2020-01-31", "2020-01-31T00:00:00", "2020-01-31T23:59:59.999999"),
            ("9999-12-31", "9999-12-31T00:00:00", "9999-12-31T23:59:59.999999"),
            ("2020-01-31T12:00:00", "2020-01-31T12:00:00", "2020-01-31T12:00:00"),
            ("2020-01-31T12:00:00Z", "2020-01-31T12:00:00", "2020-01-31T12:00:00"),
            ("2020-01-31T12:00:00+02:00", "2020-01-31T10:00:00", "2020-01-31T10:00:00"),
            ("2020-01-31T12:00:00 02:00", "2020-01-31T10:00:00", "2020-01-31T10:00:00"),
            ("2020-01-31 12:00:00+02", "2020-01-31T10:00:00", "2020-01-31T10:00:00"),
            ("2020-01-31 12:00:00", "2020-01-31T12:00:00", "2020-01-31T12:00:00"),
        ],
    )
    def test_reads(self, text, first, last):
        assert to_instant(text) == datetime.fromisoformat(f"{first}+00:00")
        assert to_instant(text, is_upper_bound=True) == datetime.fromisoformat(f"{last}+00:00")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "now",
            "2020-02-30",
            "0000-01-01",
            "0001-01-01T00:00:00+00:01",
            "1577836800",
            "2020-1-1",
            "2020-01-01\0",
            "٢٠٢٠-٠١-٠١",
            "2020-W01-1",
        ],
    )
    def test_refuses(self, text):
        with pytest.raises(ValueError, match=r"neither|year|day"):
            to_instant(text)

    @given(st.datetimes(timezones=st.timezones()))
    def test_reads_what_is_written_with_any_offset(self, instant):
        offset = instant.utcoffset()
        if offset is not None and not offset % timedelta(minutes=1):
            try:
                expected = instant.astimezone(UTC)
            except OverflowError:
                return
            assert to_instant(instant.isoformat()) == expected


@given(st.integers())
def test_a_whole_number_of_64_bits_is_read_and_no_other(number):
    fits = -(2**63) <= number < 2**63

    assert to_whole_number(str(number)) == (number if fits else None)


@given(st.text())
def test_what_is_no_whole_number_is_none(text):
    number = to_whole_number(text)

    assert number is None or int(text) == number


class TestCheckParameters:
    KNOWN = {"hotel_id": "a number", "updated__gte": "a date"}

    def refusals(self, query):
        with pytest.raises(ValidationError) as refusal:
            check_parameters(QueryDict(query), self.KNOWN)
        return refusal.value.detail

    def test_lets_known_ones_pass(self):
        check_parameters(QueryDict("hotel_id=1&format=json&limit=5&cursor=x"), self.KNOWN)

    def test_names_every_one_that_is_wrong(self):
        refusals = self.refusals("hotelid=1&updated__gte=&limit=1&limit=2")

        assert list(refusals) == ["hotelid", "updated__gte", "limit"]
        assert "did you mean hotel_id?" in refusals["hotelid"][0]
        assert "a date" in refusals["updated__gte"][0]
        assert "2 times" in refusals["limit"][0]
