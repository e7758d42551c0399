import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from repairjobs.integrations.sms.segments import count_segments
from tests.support.ids import readable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        # A character of two places is not split between two segments: one place stays empty.
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("ł" * 70, 1),
        ("ł" * 71, 2),
        ("ł" * 134, 2),
        ("ł" * 135, 3),
        ("ł" + "a" * 70, 2),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 66, 2),
        ("😀" * 67, 3),
        ("àèéùìòÇØøÅåÆæßÉÄÖÑÜ§¿äöñü£$¥@", 1),
    ],
    ids=readable,
)
def test_an_sms_has_as_many_segments_as_are_charged(text, expected):
    assert count_segments(text) == expected


@given(st.text(max_size=1_000))
@example("\ud800" * 71)
def test_counting_never_raises_and_a_longer_text_has_no_fewer_segments(text):
    assert 1 <= count_segments(text) <= count_segments(text + "a") <= len(text) // 33 + 2
