"""The fake Vonage, as the other tests rely on it."""

import socket
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from repairjobs.integrations.sms import sms_provider
from repairjobs.integrations.sms.base import InvalidSignature
from repairjobs.integrations.sms.vonage import verify_signature
from tests.support.repairjobs.fake_vonage import Fault
from tests.support.repairjobs.vonage_webhooks import inbound_webhook, status_webhook

TO = "+447700900456"


def send_sms():
    sms_provider().send(to=TO, text="Your job 00123 is open.", reference="courtesy-1")


@pytest.fixture
def receiver(settings):
    """A server that verifies webhooks with the app's ``verify_signature``."""
    verified_claims = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            authorization = self.headers.get("Authorization", "")
            status = 200
            try:
                verified_claims.append(verify_signature(body, authorization, at=datetime.now(UTC)))
            except InvalidSignature:
                status = 401
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args):
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        server.verified_claims = verified_claims
        server.url = f"http://127.0.0.1:{server.server_address[1]}/webhooks/vonage/status"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_request_that_the_application_did_not_sign_is_refused(vonage):
    response = requests.post(f"{vonage.url}/v1/messages", json={"to": "1"}, timeout=5)

    assert response.status_code == 422
    assert vonage.record.problems
    vonage.record.problems.clear()


def test_an_unfinished_request_is_not_recorded(vonage):
    with socket.create_connection(("127.0.0.1", vonage.port)) as connection:
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)

        assert connection.recv(1) == b""
    assert vonage.posts == 0
    assert vonage.record.problems == []


def test_random_faults_are_the_same_for_the_same_seed(vonage):
    def first_faults(seed):
        vonage.fail_at_random(seed=seed, share=0.3)
        return [vonage.mix(f"sms-{number}", 1) for number in range(1_000)]

    assert first_faults(1) == first_faults(1) != first_faults(2)
    assert set(first_faults(1)) == {None, *Fault}


def test_connections_are_refused_only_for_a_moment(vonage):
    vonage.fail(Fault.REFUSE_NEXT)

    send_sms()
    vonage.pauses[0].join()
    send_sms()

    assert len(vonage.accepted) == 2


def test_webhooks_are_signed_as_the_app_verifies_them(vonage, receiver):
    send_sms()
    [sms] = vonage.accepted
    delivered = status_webhook(sms, "delivered")
    inbound = inbound_webhook(sender=TO, text="STOP")

    assert delivered.send(receiver.url, times=2) == [200, 200]
    assert inbound.send(receiver.url) == [200]
    assert delivered.send(receiver.url, iat=1) == [401]
    assert delivered.send(receiver.url, secret="x" * 32) == [401]
    assert delivered.send(receiver.url, body=b"{}") == [401]
    assert delivered.send(receiver.url, authorization="") == [401]
    assert [claims["jti"] for claims in receiver.verified_claims] == [
        delivered.jti,
        delivered.jti,
        inbound.jti,
    ]
