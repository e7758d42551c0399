from datetime import UTC, datetime, timedelta

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from common.api.parsing import check_parameters, must_be, to_instant, to_whole_number


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
    def test_a_date_or_datetime_is_parsed_as_utc(self, text, first, last):
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
    def test_other_text_is_rejected(self, text):
        with pytest.raises(ValueError, match=r"neither|year|day"):
            to_instant(text)

    @given(st.datetimes(timezones=st.timezones()))
    def test_every_offset_is_converted_to_utc(self, instant):
        offset = instant.utcoffset()
        if offset is not None and not offset % timedelta(minutes=1):
            try:
                expected = instant.astimezone(UTC)
            except OverflowError:
                return
            assert to_instant(instant.isoformat()) == expected


@given(st.integers())
def test_only_whole_numbers_of_64_bits_are_parsed(number):
    fits = -(2**63) <= number < 2**63

    assert to_whole_number(str(number)) == (number if fits else None)


@given(st.text())
def test_other_text_than_a_whole_number_is_none(text):
    number = to_whole_number(text)

    assert number is None or int(text) == number


class TestCheckParameters:
    KNOWN = {"hotel_id": "a number", "updated__gte": "a date"}

    def errors(self, query):
        with pytest.raises(ValidationError) as error:
            check_parameters(QueryDict(query), self.KNOWN)
        return error.value.detail

    def test_known_parameters_pass(self):
        check_parameters(QueryDict("hotel_id=1&format=json&limit=5&cursor=x"), self.KNOWN)

    def test_each_wrong_parameter_has_its_own_error(self):
        errors = self.errors("hotelid=1&updated__gte=&limit=1&limit=2")

        assert list(errors) == ["hotelid", "updated__gte", "limit"]
        assert "Did you mean hotel_id?" in errors["hotelid"][0]
        assert "a date" in errors["updated__gte"][0]
        assert "2 times" in errors["limit"][0]


class TestMustBe:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (3, "Must be 1 or 2, not 3."),
            ("abc", "Must be 1 or 2, not abc."),
            (None, "Must be 1 or 2."),
            ("", "Must be 1 or 2."),
            ("x" * 41, "Must be 1 or 2."),
            ("a\nb", "Must be 1 or 2."),
        ],
    )
    def test_the_message_repeats_only_a_short_printable_value(self, value, message):
        assert must_be("1 or 2", value) == message
