import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.api.charts import axis

numbers = st.integers(-(2**70), 2**70)


@given(values=st.lists(numbers, max_size=5))
def test_every_value_fits_between_few_round_ticks(values):
    ticks = axis(values, 100).ticks

    assert ticks[0] <= min([0, *values])
    assert ticks[-1] >= max([1, *values])
    assert 0 in ticks
    assert 2 <= len(ticks) <= 8
    step = ticks[1] - ticks[0]
    assert str(step).rstrip("0") in {"1", "2", "5"}


@pytest.mark.parametrize(("value", "edge", "height"), [(5, 50, 50), (10, 0, 100), (0, 100, 0)])
def test_a_positive_bar_starts_at_zero(value, edge, height):
    assert axis([10], 100).bar(value) == {"y": edge, "height": height}


def test_a_negative_bar_ends_at_zero():
    scale = axis([-10, 10], 100)

    assert scale.bar(-10) == {"y": 50, "height": 50}
