import random

import pytest
from django.test import override_settings

from repairjobs.demo import history
from repairjobs.models import ClientJob, Job, JobStatus, Payment, Sms, SmsKind
from repairjobs.services.reconciliation import differences
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON

pytestmark = pytest.mark.django_db(databases=["repairjobs", "client"])


class TestHistory:
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def accepted_sms(cls, shared_rows, vonage_server):
        """The SMS that Vonage accepted while the history was simulated, once for all tests."""
        vonage_server.reset()
        with shared_rows("repairjobs", "client"), override_settings(**vonage_server.settings):
            driver.go_live()
            rng = random.Random(1)
            for at in history.draw_arrivals(rng, days=20, until=NOON):
                history.simulate_job(rng, since=at, until=NOON)
            assert Job.objects.filter(status=JobStatus.CLOSED).exists()
            driver.run_outbox()
            yield list(vonage_server.accepted)

    def test_client_jobs_and_documents_agree(self):
        assert list(differences(progress=lambda done: None)) == []
        assert Job.objects.count() == ClientJob.objects.count()

    def test_no_sms_of_the_history_is_sent(self, accepted_sms):
        assert accepted_sms == []

    def test_there_are_jobs_in_every_status_and_most_are_closed(self):
        counts = Job.objects.count_by_status()

        assert counts[JobStatus.CLOSED] > sum(counts.values()) / 2
        assert {JobStatus.OPENED, JobStatus.IN_PROGRESS, JobStatus.COMPLETED} < set(counts)

    def test_each_closed_job_has_an_earlier_payment_and_both_sms(self):
        for job in Job.objects.filter(status=JobStatus.CLOSED):
            assert Payment.objects.filter(job=job, received_at__lte=job.closed_at).exists()
            assert Sms.objects.filter(job=job, kind=SmsKind.COURTESY).count() == 1
            assert Sms.objects.filter(job=job, kind=SmsKind.FEEDBACK).count() == 1

    def test_ledger_lines_are_in_order_and_none_lies_in_the_future(self):
        for job in Job.objects.all():
            times = list(job.transactions.order_by("pk").values_list("created_at", flat=True))
            assert times == sorted(times)
            assert times[0] == job.imported_at
            assert times[-1] <= NOON


def test_customers_arrive_on_workdays_of_the_last_year():
    arrivals = history.draw_arrivals(random.Random(1), days=365, until=NOON)

    assert len(arrivals) > 250
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] < NOON
    assert {at.isoweekday() for at in arrivals} == {1, 2, 3, 4, 5, 6}
    assert (NOON - arrivals[0]).days > 350
