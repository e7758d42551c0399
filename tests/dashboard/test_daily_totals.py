from datetime import date

import pytest

from dashboard.models import DailyTotal
from tests.dashboard.factories import DailyTotalFactory

pytestmark = pytest.mark.django_db(databases=["dashboard"])


def years(hotel_id, date_basis, limit):
    return DailyTotal.objects.of_hotel(hotel_id).by(date_basis).first_years(limit)


def test_hotels_and_years_are_those_with_totals_up_to_the_limit():
    for hotel_id, year, month in [
        (3, 2020, 1),
        (1, 2020, 1),
        (1, 2018, 1),
        (1, 2018, 12),
        (2, 9999, 12),
    ]:
        DailyTotalFactory(hotel_id=hotel_id, day=date(year, month, 31), date_basis="timestamp")

    assert DailyTotal.objects.first_hotels(9) == [1, 2, 3]
    assert DailyTotal.objects.first_hotels(2) == [1, 2]
    assert years(1, "timestamp", 9) == [2018, 2020]
    assert years(1, "timestamp", 1) == [2018]
    assert years(1, "night_of_stay", 9) == []
    assert years(2, "timestamp", 9) == [9999]
