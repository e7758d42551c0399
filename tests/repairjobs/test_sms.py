import hashlib
import logging
import socket
import threading
from datetime import UTC, datetime, timedelta
from threading import get_ident

import jwt
import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from repairjobs.integrations.phone_numbers import normalize_number
from repairjobs.integrations.sms import sms_provider
from repairjobs.integrations.sms.base import (
    InvalidSignature,
    SmsNotSent,
    SmsRefused,
    SmsUnknown,
    WebhookSecretMissing,
)
from repairjobs.integrations.sms.segments import count_segments
from repairjobs.integrations.sms.vonage import verify_signature
from tests.support.repairjobs.fake_vonage import (
    FROM,
    RETRY_AFTER,
    SIGNATURE_SECRET,
    Fault,
    Webhook,
)

TO = "+447700900456"
NOW = datetime(2021, 1, 1, 12, tzinfo=UTC)


def send_one(reference="courtesy-1", to=TO, text="Your job 00123 is open."):
    return sms_provider().send(to=to, text=text, reference=reference)


class TestNormalised:
    @pytest.mark.parametrize(
        ("number", "expected"),
        [
            ("+447700 900456", "+447700900456"),
            ("07700 900456", "+447700900456"),
            ("(07700) 900-456", "+447700900456"),
            ("0044 7700 900456", "+447700900456"),
            ("  07700900456\n", "+447700900456"),
            ("07700900456", "+447700900456"),
            (None, None),
            ("", None),
            ("   ", None),
            ("NULL", None),
            ("none yet", None),
            ("12", None),
            ("07700 900456 07700 900457", None),
            ("\x00", None),
        ],
    )
    def test_is_e164_or_nothing(self, number, expected):
        assert normalize_number(number) == expected

    @given(st.one_of(st.none(), st.text(), st.text("+0123456789 ()-x;=phonetxt.", max_size=300)))
    @example("\ud800")
    def test_never_raises_and_is_stable(self, number):
        found = normalize_number(number)

        assert found is None or (found[0] == "+" and found[1:].isdecimal())
        assert found is None or normalize_number(found) in (found, None)


class TestSegments:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", 1),
            ("a" * 160, 1),
            ("a" * 161, 2),
            ("a" * 306, 2),
            ("a" * 307, 3),
            ("€" * 80, 1),
            ("€" * 81, 2),
            # A character of two places is not split: 152 + one left over, in each part.
            ("a" * 152 + "€" + "a" * 151, 2),
            ("a" * 152 + "€" + "a" * 152, 3),
            ("ł" * 70, 1),
            ("ł" * 71, 2),
            ("ł" * 134, 2),
            ("ł" * 135, 3),
            ("ł" + "a" * 70, 2),
            ("😀" * 35, 1),
            ("😀" * 36, 2),
            ("😀" * 66, 2),
            ("😀" * 67, 3),
            ("àèéùìòÇØøÅåÆæßÉÄÖÑÜ§¿äöñü£$¥@", 1),
        ],
    )
    def test_counts_what_is_paid(self, text, expected):
        assert count_segments(text) == expected

    @given(st.text(max_size=1_000))
    @example("\ud800" * 71)
    def test_never_raises_and_grows(self, text):
        assert 1 <= count_segments(text) <= count_segments(text + "a") <= len(text) // 33 + 2


class TestSend:
    def test_is_accepted_once_by_one_post(self, vonage):
        uuid = send_one()

        [accepted] = vonage.accepted
        assert (accepted.message_uuid, accepted.to, accepted.sender) == (uuid, TO[1:], FROM)
        assert (accepted.text, accepted.client_ref) == ("Your job 00123 is open.", "courtesy-1")
        assert vonage.posts == 1

    @pytest.mark.parametrize("text", ["Olá, não é?", "żółć", "😀" * 70, 'a "b"\n\\c', "\x00"])
    def test_brings_every_text_over(self, vonage, text):
        send_one(text=text)

        assert [each.text for each in vonage.accepted] == [text]

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
    def test_tells_what_is_certain_by_one_post(self, vonage, settings, fault, raised, accepted):
        if fault in (Fault.SLOW, Fault.DRIP):
            settings.VONAGE_TIMEOUT = 1
        vonage.fail(fault)

        with pytest.raises(raised):
            send_one()

        assert vonage.posts == 1
        assert len(vonage.accepted) == accepted

    def test_takes_after_every_failure_the_next_sms(self, vonage):
        for fault in set(Fault) - {Fault.SLOW, Fault.DRIP, Fault.REFUSE_NEXT}:
            vonage.fail(fault)
            with pytest.raises((SmsRefused, SmsNotSent, SmsUnknown)):
                send_one("before")
            send_one("after")

        assert len(vonage.accepted_for("after")) == len(set(Fault)) - 3

    def test_passes_on_how_long_to_wait(self, vonage):
        vonage.fail(Fault.THROTTLED, Fault.THROTTLED_FOR)

        with pytest.raises(SmsNotSent) as without:
            send_one()
        with pytest.raises(SmsNotSent) as with_seconds:
            send_one()

        assert without.value.retry_after is None
        assert with_seconds.value.retry_after == RETRY_AFTER

    def test_is_not_sent_when_nobody_listens(self, vonage):
        send_one()
        with vonage.refusing(), pytest.raises(SmsNotSent):
            send_one()

        assert vonage.posts == 1

    @pytest.mark.parametrize(
        "host", ["http://no-such-host.invalid", "http://", "http://a..b", "http://[", "no host"]
    )
    def test_is_not_sent_to_no_address(self, vonage, settings, host):
        settings.VONAGE_API_HOST = host

        with pytest.raises(SmsNotSent):
            send_one()

    def test_is_unknown_or_not_sent_but_not_refused_by_a_stranger_without_tls(
        self, vonage, settings
    ):
        settings.VONAGE_API_HOST = vonage.url.removeprefix("http://")

        with pytest.raises((SmsUnknown, SmsNotSent)):
            send_one()

        assert vonage.accepted == []

    @pytest.mark.parametrize(
        "wrong",
        [{"to": ""}, {"to": "+0"}, {"to": "x"}, {"text": "a" * 3_201}, {"reference": "r" * 101}],
    )
    def test_refuses_by_itself_what_vonage_would(self, vonage, wrong):
        with pytest.raises(SmsRefused):
            send_one(**wrong)

        assert vonage.posts == 0

    @pytest.mark.parametrize(
        "setting",
        [
            {"VONAGE_APPLICATION_ID": ""},
            {"VONAGE_PRIVATE_KEY": ""},
            {"VONAGE_PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"},
            {"VONAGE_PRIVATE_KEY": "no/such/file.pem"},
        ],
    )
    def test_is_not_sent_without_a_usable_key(self, vonage, settings, setting):
        for name, value in setting.items():
            setattr(settings, name, value)

        with pytest.raises(SmsNotSent):
            send_one()

        assert vonage.posts == 0

    def test_takes_a_key_with_its_line_breaks_escaped(self, vonage, settings):
        settings.VONAGE_PRIVATE_KEY = vonage.private_key.replace("\n", "\\n")

        send_one()

        assert len(vonage.accepted) == 1

    def test_from_many_threads_keeps_each_sms_its_own(self, vonage):
        def send_five(worker):
            for number in range(5):
                send_one(f"{worker}-{number}", text=f"{worker}-{number}")

        threads = [threading.Thread(target=send_five, args=(worker,)) for worker in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

        sent = {f"{worker}-{number}" for worker in range(8) for number in range(5)}
        assert {each.client_ref for each in vonage.accepted} == sent
        assert all(each.text == each.client_ref for each in vonage.accepted)
        assert vonage.posts == 40

    def test_among_random_faults_never_lies(self, vonage):
        quick = [each for each in Fault if each not in (Fault.SLOW, Fault.DRIP)]
        vonage.fail_at_random(seed=1, share=0.6, among=quick)

        for number in range(60):
            reference = f"sms-{number}"
            try:
                uuid = send_one(reference)
            except (SmsNotSent, SmsRefused):
                assert vonage.accepted_for(reference) == []
            except SmsUnknown:
                assert len(vonage.accepted_for(reference)) <= 1
            else:
                assert [each.message_uuid for each in vonage.accepted_for(reference)] == [uuid]

    def test_tells_no_log_and_no_traceback_the_number_or_the_text(self, vonage, caplog):
        caplog.set_level(logging.DEBUG)
        vonage.fail(Fault.INVALID, Fault.GARBAGE, Fault.CLOSE_ACCEPTED)
        number, text = TO, "nobody's business"

        for to in (number, number, number, f"x{number}"):
            try:
                send_one(to=to, text=text)
            except (SmsRefused, SmsUnknown):
                logging.getLogger("a caller").exception("SMS failed")

        assert caplog.text.count("SMS failed") == 4
        assert number[1:] not in caplog.text
        assert text not in caplog.text


class TestConsole:
    def test_prints_the_sms_and_logs_nothing(self, settings, capfd, caplog):
        caplog.set_level(logging.DEBUG)
        settings.SMS_BACKEND = "console"

        uuid = send_one(text="Olá 😀 \ud800")

        printed = capfd.readouterr().out
        assert TO in printed
        assert "Olá 😀" in printed
        # Other threads have a log of their own: MongoDB's clients look after their servers.
        ours = [each.getMessage() for each in caplog.records if each.thread == get_ident()]
        assert ours == []
        assert uuid != send_one()

    def test_is_not_a_workers_log(self, settings, capfd, monkeypatch):
        settings.SMS_BACKEND = "console"
        monkeypatch.setattr("sys.stdout", None)  # Celery puts its log there

        send_one()

        assert TO in capfd.readouterr().out


@pytest.fixture
def _secret(settings):
    settings.VONAGE_SIGNATURE_SECRET = SIGNATURE_SECRET


def signed(webhook, *, at=NOW, **signing):
    return webhook.authorization(**({"iat": int(at.timestamp())} | signing))


HOOK = Webhook({"message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "status": "delivered"})
LATEST = timedelta(minutes=5)


@pytest.mark.usefixtures("_secret")
class TestVerified:
    def test_answers_the_claims(self):
        claims = verify_signature(HOOK.body, signed(HOOK), at=NOW)

        assert claims["jti"] == HOOK.jti

    @pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
    def test_takes_the_scheme_in_any_case(self, scheme):
        token = signed(HOOK).removeprefix("Bearer ")

        assert verify_signature(HOOK.body, f"{scheme} {token}", at=NOW)["jti"] == HOOK.jti

    @pytest.mark.parametrize("age", [timedelta(0), LATEST, -LATEST])
    def test_takes_a_signature_of_now(self, age):
        assert verify_signature(HOOK.body, signed(HOOK, at=NOW - age), at=NOW)

    @pytest.mark.parametrize("age", [LATEST, -LATEST])
    def test_leaves_out_an_old_or_future_one(self, age):
        at = NOW - age - (timedelta(seconds=1) if age > timedelta(0) else -timedelta(seconds=1))

        with pytest.raises(InvalidSignature):
            verify_signature(HOOK.body, signed(HOOK, at=at), at=NOW)

    @pytest.mark.parametrize(
        "body", [b"", HOOK.body + b" ", HOOK.body.replace(b"delivered", b"rejected "), b"\xff\x00"]
    )
    def test_leaves_out_an_altered_body(self, body):
        with pytest.raises(InvalidSignature):
            verify_signature(body, signed(HOOK), at=NOW)

    @pytest.mark.parametrize(
        "claims",
        [
            {"payload_hash": None},
            {"payload_hash": ""},
            {"payload_hash": 5},
            {"payload_hash": "é\ud800"},
            {"payload_hash": hashlib.sha256(HOOK.body).hexdigest()[:-1]},
            {"iat": None},
            {"iat": str(int(NOW.timestamp()))},
            {"iat": True},
            {"iat": 10**400},
            {"iat": float("nan")},
            {"iat": float("inf")},
            {"jti": None},
            {"jti": ""},
            {"jti": 7},
            {"jti": "x" * 256},
            {"jti": "a\x00b"},
        ],
    )
    def test_leaves_out_claims_that_do_not_hold(self, claims):
        claims = HOOK.claims(iat=int(NOW.timestamp())) | claims
        token = jwt.encode(
            {name: value for name, value in claims.items() if value is not None}, SIGNATURE_SECRET
        )

        with pytest.raises(InvalidSignature):
            verify_signature(HOOK.body, f"Bearer {token}", at=NOW)

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
    def test_leaves_out_other_algorithms(self, algorithm):
        secret = "" if algorithm == "none" else SIGNATURE_SECRET

        with pytest.raises(InvalidSignature):
            verify_signature(HOOK.body, signed(HOOK, algorithm=algorithm, secret=secret), at=NOW)

    def test_leaves_out_another_secret(self):
        with pytest.raises(InvalidSignature):
            verify_signature(HOOK.body, signed(HOOK, secret=SIGNATURE_SECRET + "!"), at=NOW)

    def test_leaves_out_every_altered_signature(self):
        authorization = signed(HOOK)
        for place in range(len("Bearer "), len(authorization) - 1):
            other = "A" if authorization[place] != "A" else "B"
            altered = authorization[:place] + other + authorization[place + 1 :]

            with pytest.raises(InvalidSignature):
                verify_signature(HOOK.body, altered, at=NOW)

    @given(st.text(), st.binary())
    @example("Bearer a.b.c", b"")
    @example("Bearer ..", b"")
    @example("Bearer " + "W3s" * 5_000, b"")
    @example("Bearer é\ud800", b"")
    def test_leaves_out_garbage(self, text, body):
        for authorization in (text, f"Bearer {text}", f"Bearer {text}.{text}.{text}"):
            with pytest.raises(InvalidSignature):
                verify_signature(body, authorization, at=NOW)

    @pytest.mark.parametrize("header", ["[" * 5_000, '{"alg":' * 3_000, "1" * 5_000, '"HS256"'])
    def test_leaves_out_headers_that_break_parsers(self, header):
        token = jwt.utils.base64url_encode(header.encode()).decode()

        with pytest.raises(InvalidSignature):
            verify_signature(HOOK.body, f"Bearer {token}.{token}.{token}", at=NOW)

    def test_needs_a_secret(self, settings):
        settings.VONAGE_SIGNATURE_SECRET = ""

        with pytest.raises(WebhookSecretMissing):
            verify_signature(HOOK.body, signed(HOOK), at=NOW)


class TestTheFake:
    """What the other tests rely on, seen from outside."""

    def test_refuses_what_is_not_signed_by_the_application(self, vonage):
        answer = requests.post(f"{vonage.url}/v1/messages", json={"to": "1"}, timeout=5)

        assert answer.status_code == 422
        assert vonage.record.problems
        vonage.record.problems.clear()

    def test_takes_a_sender_that_died_in_the_middle_for_no_request(self, vonage):
        with socket.create_connection(("127.0.0.1", vonage.port)) as connection:
            connection.sendall(b"POST /v1/messages HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
            connection.shutdown(socket.SHUT_WR)

            assert connection.recv(1) == b""
        assert vonage.posts == 0
        assert vonage.record.problems == []

    def test_meets_the_same_random_faults_for_the_same_seed(self, vonage):
        def mix(seed):
            vonage.fail_at_random(seed=seed, share=0.3)
            return [vonage.mix(f"sms-{number}", 1) for number in range(1_000)]

        assert mix(1) == mix(1) != mix(2)
        assert set(mix(1)) == {None, *Fault}

    def test_refuses_connections_for_a_moment(self, vonage):
        vonage.fail(Fault.REFUSE_NEXT)

        send_one()
        vonage.pauses[0].join()
        send_one()

        assert len(vonage.accepted) == 2

    def test_sends_webhooks_that_hold(self, vonage, receiver):
        send_one()
        [accepted] = vonage.accepted
        delivered = vonage.status(accepted, "delivered")
        inbound = vonage.inbound(sender=TO, text="STOP")

        assert delivered.send(receiver.url, times=2) == [200, 200]
        assert inbound.send(receiver.url) == [200]
        assert delivered.send(receiver.url, iat=1) == [401]
        assert delivered.send(receiver.url, secret="x" * 32) == [401]
        assert delivered.send(receiver.url, body=b"{}") == [401]
        assert delivered.send(receiver.url, authorization="") == [401]
        assert [each["jti"] for each in receiver.claims] == [
            delivered.jti,
            delivered.jti,
            inbound.jti,
        ]


@pytest.fixture
def receiver(settings):
    """Whoever gets webhooks, and tells good from bad by ``verified``."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    claims = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = 200
            try:
                claims.append(
                    verify_signature(
                        body, self.headers.get("Authorization", ""), at=datetime.now(UTC)
                    )
                )
            except InvalidSignature:
                status = 401
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args):
            """Tests print nothing."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.claims = claims
        server.url = f"http://127.0.0.1:{server.server_address[1]}/webhooks/vonage/status"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
