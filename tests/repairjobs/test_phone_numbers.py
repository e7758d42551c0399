import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repairjobs.integrations.phone_numbers import normalize_number


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+447700 900456", "+447700900456"),
        ("07700 900456", "+447700900456"),
        ("(07700) 900-456", "+447700900456"),
        ("0044 7700 900456", "+447700900456"),
        ("  07700900456\n", "+447700900456"),
        ("07700900456", "+447700900456"),
        (None, None),
        ("", None),
        ("   ", None),
        ("NULL", None),
        ("none yet", None),
        ("12", None),
        ("07700 900456 07700 900457", None),
        ("\x00", None),
    ],
)
def test_a_number_is_normalized_to_e164_or_none(number, expected):
    assert normalize_number(number) == expected


@given(st.one_of(st.none(), st.text(), st.text("+0123456789 ()-x;=phonetxt.", max_size=300)))
@example("\ud800")
def test_normalizing_never_raises_and_does_not_change_a_normalized_number(number):
    normalized = normalize_number(number)

    assert normalized is None or (normalized[0] == "+" and normalized[1:].isdecimal())
    assert normalized is None or normalize_number(normalized) in (normalized, None)
