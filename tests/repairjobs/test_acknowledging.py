"""What a person has looked at, and what comes after that."""

import pytest

from repairjobs.integrations.sms.base import SmsRefused
from repairjobs.models import Acknowledgement, ClientJob, Job, Sms, UnknownJob
from repairjobs.services import private_messages, workflow
from repairjobs.services.acknowledgements import acknowledge
from repairjobs.services.reconciliation import differences
from tests.repairjobs import desk
from tests.repairjobs.factories import NOON, ClientJobFactory

pytestmark = pytest.mark.django_db(databases="__all__")

FLAG = "the client deleted the row"


def refresh_document(job_id):
    workflow.advance(Job.objects.get(pk=job_id), workflow.JobEvent.TASK_FAILED, at=NOON)


@pytest.fixture
def job(phone):
    desk.go_live()
    ClientJobFactory(job_id=1)
    desk.collect()


class TestAcknowledge:
    @pytest.fixture
    def gone(self, job):
        desk.run()
        ClientJob.objects.all().delete()
        desk.follow()
        assert desk.attention(1) == [FLAG]

    def acknowledge(self, *keys):
        return acknowledge(job_id=1, keys=keys or ["missing"], at=NOON)

    def test_takes_what_was_seen_off_the_document(self, gone):
        assert self.acknowledge() == 1
        assert self.acknowledge() == 0

        assert desk.attention(1) == []
        assert desk.ledger(1)[-1] == f"EVENT seen by a person: {FLAG}"
        assert not [said for said in differences(progress=print) if "document" in said.problem]

    def test_leaves_what_was_not_shown(self, gone):
        assert self.acknowledge("sms 1 failed") == 0
        assert desk.attention(1) == [FLAG]

    def test_leaves_what_is_flagged_later(self, gone):
        self.acknowledge()
        Job.objects.filter(pk=1).update(is_on_hold=True)
        refresh_document(1)

        assert desk.attention(1) == ["on hold since going live: adopt_jobs decides whether to text"]

    def test_is_over_when_the_same_comes_again(self, gone):
        self.acknowledge()
        ClientJobFactory(job_id=1, status="OPENED")
        desk.follow()
        assert not Acknowledgement.objects.exists()

        ClientJob.objects.all().delete()
        desk.follow()

        assert desk.attention(1) == [FLAG]

    def test_of_one_sms_is_not_of_another_one(self, job, phone):
        phone.answers = [None, SmsRefused("422"), SmsRefused("422")]
        desk.run()
        private_messages.send_private_message(job_id=1, text="one", at=NOON)
        desk.run()
        acknowledge(job_id=1, keys=[f"sms {Sms.objects.latest('pk').pk} failed"], at=NOON)
        assert desk.attention(1) == []

        private_messages.send_private_message(job_id=1, text="two", at=NOON)
        desk.run()

        assert desk.attention(1) == ["the private SMS did not arrive: 422"]

    def test_of_a_job_that_we_never_collected_is_refused(self, db):
        with pytest.raises(UnknownJob):
            self.acknowledge()
