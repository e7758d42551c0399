import logging
import threading

import pytest

from repairjobs.integrations.sms import sms_provider
from repairjobs.integrations.sms.base import SmsNotSent, SmsRefused, SmsUnknown
from tests.support.ids import readable
from tests.support.repairjobs.fake_vonage import RETRY_AFTER, Fault
from tests.support.repairjobs.vonage_webhooks import FROM

TO = "+447700900456"


def send_sms(reference="courtesy-1", to=TO, text="Your job 00123 is open."):
    return sms_provider().send(to=to, text=text, reference=reference)


def test_an_sms_is_accepted_with_one_request(vonage):
    uuid = send_sms()

    [accepted] = vonage.accepted
    assert (accepted.message_uuid, accepted.to, accepted.sender) == (uuid, TO[1:], FROM)
    assert (accepted.text, accepted.client_ref) == ("Your job 00123 is open.", "courtesy-1")
    assert vonage.posts == 1


@pytest.mark.parametrize(
    "text", ["Olá, não é?", "żółć", "😀" * 70, 'a "b"\n\\c', "\x00"], ids=readable
)
def test_every_text_arrives_unchanged(vonage, text):
    send_sms(text=text)

    assert [sms.text for sms in vonage.accepted] == [text]


@pytest.mark.parametrize(
    ("fault", "raised", "accepted"),
    [
        (Fault.UNAUTHORIZED, SmsNotSent, 0),
        (Fault.NO_CREDIT, SmsNotSent, 0),
        (Fault.FORBIDDEN, SmsNotSent, 0),
        (Fault.INVALID, SmsRefused, 0),
        (Fault.THROTTLED, SmsNotSent, 0),
        (Fault.THROTTLED_FOR, SmsNotSent, 0),
        (Fault.BROKEN, SmsUnknown, 0),
        (Fault.BUSY, SmsUnknown, 0),
        (Fault.REDIRECT, SmsUnknown, 0),
        (Fault.CLOSE_UNREAD, SmsUnknown, 0),
        (Fault.CLOSE_READ, SmsUnknown, 0),
        (Fault.CLOSE_ACCEPTED, SmsUnknown, 1),
        (Fault.SLOW, SmsUnknown, 1),
        (Fault.DRIP, SmsUnknown, 1),
        (Fault.GARBAGE, SmsUnknown, 1),
        (Fault.DEEP_GARBAGE, SmsUnknown, 1),
        (Fault.HALF, SmsUnknown, 1),
        (Fault.NO_ID, SmsUnknown, 1),
        (Fault.BAD_ID, SmsUnknown, 1),
        (Fault.BROKEN_ACCEPTED, SmsUnknown, 1),
    ],
)
def test_each_failure_raises_what_is_certain_about_the_sms_after_one_request(
    vonage, settings, fault, raised, accepted
):
    if fault in (Fault.SLOW, Fault.DRIP):
        settings.VONAGE_TIMEOUT = 1
    vonage.fail(fault)

    with pytest.raises(raised):
        send_sms()

    assert vonage.posts == 1
    assert len(vonage.accepted) == accepted


def test_the_next_sms_is_accepted_after_any_failure(vonage):
    for fault in set(Fault) - {Fault.SLOW, Fault.DRIP, Fault.REFUSE_NEXT}:
        vonage.fail(fault)
        with pytest.raises((SmsRefused, SmsNotSent, SmsUnknown)):
            send_sms("before")
        send_sms("after")

    assert len(vonage.accepted_for("after")) == len(set(Fault)) - 3


def test_the_error_has_the_seconds_of_retry_after(vonage):
    vonage.fail(Fault.THROTTLED, Fault.THROTTLED_FOR)

    with pytest.raises(SmsNotSent) as without_header:
        send_sms()
    with pytest.raises(SmsNotSent) as with_header:
        send_sms()

    assert without_header.value.retry_after is None
    assert with_header.value.retry_after == RETRY_AFTER


def test_an_sms_is_not_sent_if_the_connection_is_refused(vonage):
    send_sms()
    with vonage.refusing(), pytest.raises(SmsNotSent):
        send_sms()

    assert vonage.posts == 1


@pytest.mark.parametrize(
    "host", ["http://no-such-host.invalid", "http://", "http://a..b", "http://[", "no host"]
)
def test_an_sms_is_not_sent_to_an_unusable_address(vonage, settings, host):
    settings.VONAGE_API_HOST = host

    with pytest.raises(SmsNotSent):
        send_sms()


def test_a_server_without_tls_cannot_refuse_an_sms_for_good(vonage, settings):
    settings.VONAGE_API_HOST = vonage.url.removeprefix("http://")

    with pytest.raises((SmsUnknown, SmsNotSent)):
        send_sms()

    assert vonage.accepted == []


@pytest.mark.parametrize(
    "invalid",
    [{"to": ""}, {"to": "+0"}, {"to": "x"}, {"text": "a" * 3_201}, {"reference": "r" * 101}],
    ids=readable,
)
def test_an_sms_that_vonage_would_refuse_is_refused_without_a_request(vonage, invalid):
    with pytest.raises(SmsRefused):
        send_sms(**invalid)

    assert vonage.posts == 0


@pytest.mark.parametrize(
    "credentials",
    [
        {"VONAGE_APPLICATION_ID": ""},
        {"VONAGE_PRIVATE_KEY": ""},
        {"VONAGE_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"},
        {"VONAGE_PRIVATE_KEY": "no/such/file.pem"},
    ],
    ids=readable,
)
def test_an_sms_is_not_sent_without_usable_credentials(vonage, settings, credentials):
    for name, value in credentials.items():
        setattr(settings, name, value)

    with pytest.raises(SmsNotSent):
        send_sms()

    assert vonage.posts == 0


def test_a_private_key_with_escaped_line_breaks_is_usable(vonage, settings):
    settings.VONAGE_PRIVATE_KEY = vonage.private_key.replace("\n", "\\n")

    send_sms()

    assert len(vonage.accepted) == 1


def test_sms_of_several_threads_are_not_mixed_up(vonage):
    def send_five(worker):
        for number in range(5):
            send_sms(f"{worker}-{number}", text=f"{worker}-{number}")

    threads = [threading.Thread(target=send_five, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    references = {f"{worker}-{number}" for worker in range(8) for number in range(5)}
    assert {sms.client_ref for sms in vonage.accepted} == references
    assert all(sms.text == sms.client_ref for sms in vonage.accepted)
    assert vonage.posts == 40


def test_the_outcome_is_never_wrong_among_random_faults(vonage):
    quick_faults = [fault for fault in Fault if fault not in (Fault.SLOW, Fault.DRIP)]
    vonage.fail_at_random(seed=1, share=0.6, among=quick_faults)

    for number in range(60):
        reference = f"sms-{number}"
        try:
            uuid = send_sms(reference)
        except (SmsNotSent, SmsRefused):
            assert vonage.accepted_for(reference) == []
        except SmsUnknown:
            assert len(vonage.accepted_for(reference)) <= 1
        else:
            assert [sms.message_uuid for sms in vonage.accepted_for(reference)] == [uuid]


def test_neither_logs_nor_tracebacks_show_the_number_or_the_text(vonage, caplog):
    caplog.set_level(logging.DEBUG)
    vonage.fail(Fault.INVALID, Fault.GARBAGE, Fault.CLOSE_ACCEPTED)
    text = "a private text"

    for to in (TO, TO, TO, f"x{TO}"):
        try:
            send_sms(to=to, text=text)
        except (SmsRefused, SmsUnknown):
            logging.getLogger("a caller").exception("SMS failed")

    assert caplog.text.count("SMS failed") == 4
    assert TO[1:] not in caplog.text
    assert text not in caplog.text
