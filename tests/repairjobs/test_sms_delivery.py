from datetime import timedelta

import pytest

from repairjobs.models import ClientJob, OptOut, OutboxKind, OutboxTask, Sms, SmsSendSlot
from repairjobs.services import sms_delivery
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON
from tests.support.repairjobs.fake_vonage import Fault

pytestmark = [
    pytest.mark.django_db(databases=["repairjobs", "client"]),
    pytest.mark.usefixtures("live"),
]


def test_a_refused_sms_does_not_stop_the_job_and_is_flagged(job, vonage):
    vonage.fail(Fault.INVALID)

    driver.run_outbox()

    assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
    assert driver.attention_of(1) == ["the courtesy SMS did not arrive: Vonage answered 422"]
    assert driver.sms_of(1) == [("courtesy", "failed")]


def test_a_throttled_sms_is_sent_after_the_time_that_vonage_named(job, vonage):
    vonage.retry_after = 6_000
    vonage.fail(Fault.THROTTLED_FOR)

    driver.run_outbox()
    assert (vonage.accepted, driver.sms_of(1)) == ([], [("courtesy", "queued")])
    driver.let_time_pass(minutes=90)
    driver.run_outbox()
    assert vonage.accepted == []
    driver.let_time_pass(minutes=20)
    driver.run_outbox()

    assert len(vonage.accepted) == 1
    assert driver.statuses_of(1)[0] == "OPENED"


def test_an_sms_that_was_perhaps_sent_holds_the_job_for_fifteen_minutes(job, vonage):
    vonage.fail(Fault.BROKEN_ACCEPTED)

    driver.run_outbox()
    assert ClientJob.objects.get().status == "NEW"
    assert driver.attention_of(1) == ["the courtesy SMS was perhaps sent"]
    driver.let_time_pass(minutes=14)
    driver.run_outbox()
    assert ClientJob.objects.get().status == "NEW"
    driver.let_time_pass(minutes=2)
    driver.run_outbox()

    assert ClientJob.objects.get().status == "OPENED"
    assert driver.attention_of(1) == ["the courtesy SMS was perhaps sent"]
    assert len(vonage.accepted) == 1


@pytest.mark.parametrize(
    ("was_sent", "sms_count"), [(True, 1), (False, 2)], ids=["sent", "not sent"]
)
def test_a_person_can_resolve_an_sms_that_was_perhaps_sent(job, vonage, was_sent, sms_count):
    vonage.fail(Fault.BROKEN_ACCEPTED)
    driver.run_outbox()

    assert sms_delivery.resolve_sms(Sms.objects.get(), was_sent=was_sent, at=NOON)
    assert sms_delivery.resolve_sms(Sms.objects.get(), was_sent=was_sent, at=NOON) is False
    driver.run_outbox()

    assert len(vonage.accepted) == sms_count
    assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
    assert driver.attention_of(1) == []


@pytest.mark.parametrize(
    "mobile",
    [None, "", "none", "12", "x" * 255],
    ids=["null", "empty", "none", "12", "255 letters"],
)
def test_a_number_that_cannot_be_texted_stops_nothing(vonage, mobile):
    driver.open_job(1, mobile=mobile)

    assert vonage.accepted == []
    assert driver.statuses_of(1) == ("OPENED", "OPENED", "OPENED")
    assert driver.ledger_of(1)[1] == "EVENT courtesy SMS not sent: the number cannot be texted"
    assert driver.attention_of(1) == ["the courtesy SMS was not sent: the number cannot be texted"]


def test_a_queued_sms_goes_to_the_current_number(job, vonage):
    ClientJob.objects.update(mobile="07700 900456")
    driver.sync_jobs()

    driver.run_outbox()

    assert vonage.numbers == ["+447700900456"]


def test_a_customer_who_opted_out_is_not_texted(job, vonage):
    OptOut.objects.create(number="+447700900123", since=NOON)

    driver.run_outbox()

    assert vonage.accepted == []
    assert driver.statuses_of(1)[0] == "OPENED"
    assert driver.attention_of(1) == []


def test_send_slots_are_as_far_apart_as_the_rate_says():
    one_per_minute = 1 / 60  # no machine needs a minute for four reservations

    waits = [SmsSendSlot.objects.reserve(per_second=one_per_minute) for _ in range(4)]

    assert [round(wait / timedelta(minutes=1)) for wait in waits] == [0, 1, 2, 3]


def test_an_sms_with_a_distant_send_slot_is_postponed_without_using_up_an_attempt(
    job, vonage, settings
):
    settings.SMS_PER_SECOND = 1
    for _ in range(100):
        SmsSendSlot.objects.reserve(per_second=1)

    driver.run_outbox(OutboxKind.SMS)

    assert vonage.accepted == []
    assert OutboxTask.objects.get(kind=OutboxKind.SMS).attempts == 0
