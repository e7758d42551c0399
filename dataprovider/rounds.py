"""The clock's door without Celery: AWS Lambda's invocations."""

import random
from datetime import datetime

from common.time_budget import HasTimeLeft
from dataprovider import services
from dataprovider.hotel import DEMO_HOTELS


def simulate_events(*, at: datetime, has_time_left: HasTimeLeft) -> dict[str, int]:
    """Let something happen in one of the demo hotels."""
    chance = random.Random()
    hotel_id = chance.choice(DEMO_HOTELS)
    reported = services.simulate_events(hotel_id=hotel_id, at=at, chance=chance)
    return {"reported": reported}
