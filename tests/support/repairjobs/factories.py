from datetime import UTC, datetime

import factory
from factory.django import DjangoModelFactory

from repairjobs.models import ClientJob

NOON = datetime(2021, 1, 1, 12, tzinfo=UTC)


class ClientJobFactory(DjangoModelFactory):
    class Meta:
        model = ClientJob

    job_id = factory.Sequence(lambda number: number + 1)
    type = "REPAIR"
    status = "NEW"
    firstname = "Test"
    lastname = "Customer"
    postcode = "AB1 2CD"
    mobile = "07700 900123"
    product_id = "WM-1"
    product_type = "Washing machine"
