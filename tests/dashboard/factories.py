from datetime import date

import factory
from factory.django import DjangoModelFactory

from dashboard.models import DailyTotal, Reading


class DailyTotalFactory(DjangoModelFactory):
    class Meta:
        model = DailyTotal

    hotel_id = 1
    reading = Reading.NIGHT_OF_STAY
    day = factory.Sequence(lambda number: date(2020, 1, 1 + number % 31))
    bookings = 3
    cancellations = 1
