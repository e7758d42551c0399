import pytest

from repairjobs.models import DeliveryReceipt, Sms
from tests.support.ids import readable
from tests.support.repairjobs import workflow_driver as driver
from tests.support.repairjobs.vonage_webhooks import inbound_webhook, status_webhook

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.engine_independent]


def post(api, webhook, kind="status", **options):
    authorization = options.pop("authorization", None) or webhook.authorization(**options)
    return api.post(
        f"/webhooks/vonage/{kind}",
        webhook.body,
        content_type="application/json",
        headers={"Authorization": authorization},
    )


@pytest.fixture
def opened_job(live):
    driver.open_job(123)


@pytest.fixture
def webhook(opened_job, vonage):
    """The webhook about the delivery of the courtesy SMS."""
    [sms] = vonage.accepted
    return status_webhook(sms, "delivered")


def test_a_repeated_receipt_advances_the_sms_once(api, webhook):
    statuses = [post(api, webhook).status_code for _ in range(2)]

    assert statuses == [200, 200]
    assert Sms.objects.get().state == "delivered"
    assert DeliveryReceipt.objects.count() == 1


@pytest.mark.parametrize(
    "options",
    [
        {"secret": "another secret that is long enough for it"},
        {"iat": 1_000_000_000},
        {"payload_hash": "0" * 64},
        {"algorithm": "HS512"},
        {"authorization": "Bearer x"},
        {"authorization": "Basic x"},
    ],
    ids=readable,
)
@pytest.mark.parametrize("kind", ["status", "inbound"], ids=readable)
def test_a_webhook_that_vonage_did_not_sign_changes_nothing(api, webhook, options, kind):
    response = post(api, webhook, kind, **options)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert Sms.objects.get().state == "accepted"
    assert not DeliveryReceipt.objects.exists()


def test_an_altered_webhook_changes_nothing(api, webhook):
    authorization = webhook.authorization()
    webhook.body = webhook.body.replace(b"delivered", b"submitted")

    assert post(api, webhook, authorization=authorization).status_code == 401


def test_a_webhook_is_503_if_there_is_no_secret(api, webhook, settings):
    authorization = webhook.authorization()
    settings.VONAGE_SIGNATURE_SECRET = ""

    response = post(api, webhook, authorization=authorization)

    assert response.status_code == 503
    assert response.headers["Retry-After"]


def test_a_repeated_reply_is_stored_once(api, opened_job):
    webhook = inbound_webhook(sender="+447700900123", text="Very good")

    statuses = [post(api, webhook, "inbound").status_code for _ in range(2)]

    assert statuses == [200, 200]
    assert driver.sms_of(123)[-1] == ("inbound", "received")
    assert Sms.objects.filter(kind="inbound").count() == 1


@pytest.mark.parametrize("body", [b"[]", b"x", b"{}", b'{"message_uuid": 5}', b"\xff"])
@pytest.mark.parametrize("kind", ["status", "inbound"])
def test_a_signed_but_malformed_webhook_is_refused(api, webhook, body, kind):
    webhook.body = body

    assert post(api, webhook, kind).status_code == 400
