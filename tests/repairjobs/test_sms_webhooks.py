"""Delivery receipts, and messages from customers."""

from uuid import uuid4

import pytest

from repairjobs.integrations.sms.base import InboundMessage
from repairjobs.integrations.sms.vonage import VonageSms
from repairjobs.models import DeliveryReceipt, Sms, SmsState
from repairjobs.services import private_messages, sms_webhooks
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.factories import NOON
from tests.support.repairjobs.fake_vonage import Fault

pytestmark = [
    pytest.mark.django_db(databases=["repairjobs", "client"]),
    pytest.mark.usefixtures("live"),
]


class TestDeliveryReceipts:
    MESSAGE_UUID = str(uuid4())

    @pytest.fixture(autouse=True)
    def _known_uuid(self, vonage):
        vonage.next_message_uuids = [self.MESSAGE_UUID]

    def record_receipt(self, status="delivered", *, message_uuid=MESSAGE_UUID, reference=""):
        payload = {"message_uuid": message_uuid, "status": status, "client_ref": reference}
        receipt = VonageSms().parse_receipt(payload)
        return sms_webhooks.record_delivery_receipt(receipt, at=NOON)

    @pytest.mark.parametrize(
        "statuses",
        [["submitted", "delivered"], ["delivered", "submitted"]],
        ids=["in order", "out of order"],
    )
    def test_receipts_never_move_an_sms_backwards(self, job, statuses):
        driver.run_outbox()

        for status in statuses * 2:
            self.record_receipt(status)

        assert Sms.objects.get().state == SmsState.DELIVERED
        assert DeliveryReceipt.objects.count() == 2

    def test_a_receipt_resolves_an_sms_that_was_perhaps_sent(self, job, vonage):
        vonage.fail(Fault.BROKEN_ACCEPTED)
        driver.run_outbox()

        self.record_receipt("submitted", reference=str(Sms.objects.get().reference))
        driver.run_outbox()

        assert driver.statuses_of(1)[0] == "OPENED"
        assert driver.attention_of(1) == []
        assert len(vonage.accepted) == 1

    def test_a_receipt_that_comes_before_our_commit_is_applied_after_it(self, job):
        assert self.record_receipt("delivered") is False

        driver.run_outbox()

        assert Sms.objects.get().state == SmsState.DELIVERED

    def test_a_receipt_of_a_failure_flags_the_job_once(self, job):
        driver.run_outbox()
        lines_before = len(driver.ledger_of(1))

        self.record_receipt("undeliverable")
        self.record_receipt("undeliverable")

        assert "did not arrive" in driver.attention_of(1)[0]
        assert len(driver.ledger_of(1)) == lines_before + 1

    def test_an_sms_with_a_receipt_is_not_sent_again(self, job, vonage):
        vonage.fail(Fault.THROTTLED)
        driver.run_outbox()

        self.record_receipt("submitted", reference=str(Sms.objects.get().reference))
        driver.let_time_pass(hours=1)
        driver.run_outbox()

        assert vonage.accepted == []
        assert driver.statuses_of(1)[0] == "OPENED"

    def test_unknown_statuses_and_references_change_nothing(self, job):
        driver.run_outbox()

        self.record_receipt("teleported")
        self.record_receipt("delivered", message_uuid="x", reference="not a uuid")
        self.record_receipt("delivered", message_uuid="x", reference=str(uuid4()))

        assert Sms.objects.get().state == SmsState.ACCEPTED


class TestInboundMessages:
    def receive(self, text="Very good", message_uuid="in-1", sender="447700900123"):
        message = InboundMessage(message_uuid, sender, "447700900999", text)
        return sms_webhooks.receive_message(message, at=NOON)

    def test_a_reply_is_stored_once_with_the_job_last_texted(self):
        for job_id in (1, 2):
            driver.open_job(job_id)

        assert self.receive() is True
        assert self.receive() is False

        assert driver.sms_of(2)[-1] == ("inbound", "received")
        assert driver.ledger_of(2)[-1] == "EVENT inbound SMS received"
        assert Sms.objects.filter(kind="inbound").count() == 1

    def test_an_sms_from_an_unknown_number_is_stored_without_a_job(self):
        self.receive(sender="447700900777")
        self.receive(sender="SHOP", message_uuid="in-2")

        assert Sms.objects.filter(job=None).count() == 2

    @pytest.mark.parametrize("text", ["STOP", " stop\n"])
    def test_stop_ends_all_texting_until_start(self, job, vonage, text):
        driver.run_outbox()
        self.receive(text)
        with pytest.raises(private_messages.CannotText):
            private_messages.send_private_message(job_id=1, text="Hello", at=NOON)

        self.receive("START", message_uuid="in-2")
        private_messages.send_private_message(job_id=1, text="Hello", at=NOON)
        driver.run_outbox()

        assert len(vonage.accepted) == 2
