import random

import pytest

from repairjobs import history, sms
from repairjobs.models import ClientJob, Job, JobStatus, Payment, Sms, SmsKind
from repairjobs.reconciliation import differences
from tests.repairjobs import desk
from tests.repairjobs.factories import NOON

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])


def made_up(*, days, seed=1):
    chance = random.Random(seed)
    for at in history.arrivals(chance, days=days, until=NOON):
        history.live_through(chance, since=at, until=NOON)


class TestAPast:
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def received(cls, shared_rows):
        with shared_rows("repairjobs", "client"), pytest.MonkeyPatch.context() as patch:
            phone = desk.Phone()
            patch.setattr(sms, "send", phone.send)
            desk.go_live()
            made_up(days=45)
            assert Job.objects.filter(status=JobStatus.CLOSED).exists()
            desk.run()
            yield phone.received

    def test_is_what_the_client_and_the_documents_say(self):
        assert list(differences(progress=lambda done: None)) == []
        assert Job.objects.count() == ClientJob.objects.count()

    def test_texts_nobody_and_leaves_nobody_to_text(self, received):
        assert received == []

    def test_has_jobs_in_every_state(self):
        counts = Job.objects.by_status()

        assert counts[JobStatus.CLOSED] > sum(counts.values()) / 2
        assert {JobStatus.OPENED, JobStatus.IN_PROGRESS, JobStatus.COMPLETED} < set(counts)

    def test_closes_each_job_after_its_payment_and_both_texts(self):
        for job in Job.objects.filter(status=JobStatus.CLOSED):
            assert Payment.objects.filter(job=job, received_at__lte=job.closed_at).exists()
            assert Sms.objects.filter(job=job, kind=SmsKind.COURTESY).count() == 1
            assert Sms.objects.filter(job=job, kind=SmsKind.FEEDBACK).count() == 1

    def test_is_recorded_in_order_and_ends_now(self):
        for job in Job.objects.all():
            at = list(job.transactions.order_by("pk").values_list("created_at", flat=True))
            assert at == sorted(at)
            assert at[0] == job.collected_at
            assert at[-1] <= NOON


def test_customers_come_on_workdays_before_now():
    at = history.arrivals(random.Random(1), days=365, until=NOON)

    assert len(at) > 250
    assert at == sorted(at)
    assert at[-1] < NOON
    assert {day.isoweekday() for day in at} == {1, 2, 3, 4, 5, 6}
    assert (NOON - at[0]).days > 350
