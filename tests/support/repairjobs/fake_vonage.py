"""Vonage's Messages API as a real server on a port of its own, which can fail in every way."""

import hashlib
import json
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

APPLICATION_ID = "11111111-2222-4333-8444-555555555555"
SIGNATURE_SECRET = "a secret that the fake and the tests share, and nobody else in the world"
FROM = "447700900000"


class Fault(StrEnum):
    """What the server does instead of accepting, or after it."""

    UNAUTHORIZED = "401"
    NO_CREDIT = "402"
    FORBIDDEN = "403"
    INVALID = "422"
    THROTTLED = "429"
    THROTTLED_FOR = "429 with Retry-After"
    BROKEN = "500"
    BUSY = "503"
    REDIRECT = "307 to itself"
    CLOSE_UNREAD = "closed before the request was read"
    CLOSE_READ = "closed after the request was read"
    # From here on the SMS is accepted all the same.
    CLOSE_ACCEPTED = "closed after the SMS was accepted"
    SLOW = "accepted, answered too late"
    DRIP = "accepted, answered byte by byte"
    GARBAGE = "accepted, answered with garbage"
    DEEP_GARBAGE = "accepted, answered with what breaks parsers"
    HALF = "accepted, closed in the middle of the answer"
    NO_ID = "accepted, answered without an id"
    BAD_ID = "accepted, answered with what is no id"
    BROKEN_ACCEPTED = "accepted, answered 500"
    REFUSE_NEXT = "accepted and answered; then nobody listens for a moment"


STATUSES = {
    Fault.UNAUTHORIZED: (401, "Unauthorized"),
    Fault.NO_CREDIT: (402, "Low balance"),
    Fault.FORBIDDEN: (403, "Forbidden"),
    Fault.INVALID: (422, "Invalid params"),
    Fault.THROTTLED: (429, "Rate limit hit"),
    Fault.THROTTLED_FOR: (429, "Rate limit hit"),
    Fault.BROKEN: (500, "Internal error"),
    Fault.BUSY: (503, "Service unavailable"),
    Fault.REDIRECT: (307, "Over there"),
}
RETRY_AFTER = 7
MOMENT = 0.2


@dataclass(frozen=True)
class Accepted:
    """An SMS that will reach a phone."""

    message_uuid: str
    to: str
    sender: str
    text: str
    client_ref: str


@dataclass
class Record:
    """What came over the wire; a connection that the server refused is not there."""

    posts: int = 0  # whole requests read, and those cut off unread
    accepted: list[Accepted] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # requests that Vonage would not understand


class FakeVonage:
    """The server, its record, and what it has been told to do.

    ``faults`` are for the next requests, one each, ``None`` for a good answer. After them a
    random mix, if one is set, decides each request by its ``client_ref`` and attempt, so that
    threads and processes in any order meet the same faults.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.record = Record()
        self.faults: list[Fault | None] = []
        self.mix: Callable[[str, int], Fault | None] = lambda reference, attempt: None
        self.seconds_slow = 30.0
        self.attempts: dict[str, int] = {}
        self.is_ending = threading.Event()
        self.listening = threading.Lock()
        self.pauses: list[threading.Thread] = []
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.servers: list[_Server] = []
        self.port = 0

    # --- where it is ---

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def private_key(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a process that sends its SMS here."""
        return {
            "SMS_BACKEND": "vonage",
            "VONAGE_API_HOST": self.url,
            "VONAGE_APPLICATION_ID": APPLICATION_ID,
            "VONAGE_PRIVATE_KEY": self.private_key,
            "VONAGE_SIGNATURE_SECRET": SIGNATURE_SECRET,
            "VONAGE_FROM": FROM,
        }

    def listen(self) -> None:
        self.servers.append(server := _Server(self, self.port))
        self.port = server.server_address[1]
        self.loop = threading.Thread(target=server.serve_forever, args=(0.02,))
        self.loop.start()

    def stop_listening(self) -> None:
        """From now on connections are refused; requests under way go on."""
        self.servers[-1].shutdown()
        self.loop.join()
        self.servers[-1].socket.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens meanwhile."""
        with self.listening:
            self.stop_listening()
            try:
                yield
            finally:
                self.listen()

    def refuse_for_a_moment(self) -> None:
        def pause() -> None:
            with self.refusing():
                self.is_ending.wait(MOMENT)

        pausing = threading.Thread(target=pause)
        self.pauses.append(pausing)
        pausing.start()

    def end(self) -> None:
        self.is_ending.set()
        for pausing in self.pauses:
            pausing.join()
        self.stop_listening()
        for server in self.servers:
            server.hang_up()
            server.server_close()  # waits for its requests

    # --- what it is told ---

    def fail(self, *faults: Fault | None) -> None:
        with self.lock:
            self.faults += faults

    def fail_at_random(self, *, seed: int, share: float, among: list[Fault] | None = None) -> None:
        """Let that share of all requests meet a fault; the same ones for the same seed."""
        choices = among or list(Fault)

        def mix(reference: str, attempt: int) -> Fault | None:
            chance = random.Random(f"{seed} {reference} {attempt}")
            return chance.choice(choices) if chance.random() < share else None

        self.mix = mix

    def next_fault(self, reference: str) -> Fault | None:
        with self.lock:
            self.attempts[reference] = attempt = self.attempts.get(reference, 0) + 1
            if self.faults:
                return self.faults.pop(0)
            return self.mix(reference, attempt)

    def cuts_off_unread(self) -> bool:
        """Whether the next request is not even read; only then is it not known whose it is."""
        with self.lock:
            if self.faults and self.faults[0] is Fault.CLOSE_UNREAD:
                self.faults.pop(0)
                self.record.posts += 1
                return True
        return False

    # --- what it knows ---

    @property
    def accepted(self) -> list[Accepted]:
        with self.lock:
            return list(self.record.accepted)

    @property
    def posts(self) -> int:
        with self.lock:
            return self.record.posts

    def accepted_for(self, reference: str) -> list[Accepted]:
        return [each for each in self.accepted if each.client_ref == reference]

    def problem_with(self, headers: Any, message: Any) -> str | None:
        """What Vonage would not understand in a request."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        try:
            claims = jwt.decode(token, self.key.public_key(), algorithms=["RS256"])
        except jwt.PyJWTError as error:
            return f"Authorization: {error!r}"
        wrong = {
            "scheme": scheme == "Bearer",
            "application_id": claims.get("application_id") == APPLICATION_ID,
            "jti": bool(UUID(claims.get("jti", ""))),
            "exp": "exp" in claims and "iat" in claims,
            "Content-Type": headers.get("Content-Type") == "application/json",
            "channel": message.get("channel") == "sms",
            "message_type": message.get("message_type") == "text",
            "to": message.get("to", "").isdecimal() and message["to"][0] != "0",
            "from": bool(message.get("from")),
            "text": bool(message.get("text")),
            "client_ref": 0 < len(message.get("client_ref", "")) <= 100,
        }
        return ", ".join(name for name, is_right in wrong.items() if not is_right) or None

    def accept(self, message: dict[str, str]) -> Accepted:
        accepted = Accepted(
            message_uuid=str(uuid4()),
            to=message["to"],
            sender=message["from"],
            text=message["text"],
            client_ref=message["client_ref"],
        )
        with self.lock:
            self.record.accepted.append(accepted)
        return accepted

    # --- webhooks ---

    def status(
        self, sms: Accepted, status: str, *, at: datetime | None = None, **extra: Any
    ) -> "Webhook":
        """The webhook that tells of an SMS: submitted, delivered, rejected, undeliverable."""
        content = {
            "message_uuid": sms.message_uuid,
            "to": sms.to,
            "from": sms.sender,
            "timestamp": _spelled(at),
            "status": status,
            "client_ref": sms.client_ref,
            "channel": "sms",
            "usage": {"currency": "EUR", "price": "0.0333"},
            "sms": {"count_total": "1"},
        }
        if status in ("rejected", "undeliverable"):
            content["error"] = {
                "type": "https://developer.vonage.com/api-errors/messages#1320",
                "title": 1320,
                "detail": "Message already sent",
                "instance": str(uuid4()),
            }
        return Webhook(content | extra)

    def inbound(
        self, *, sender: str, text: str, at: datetime | None = None, **extra: Any
    ) -> "Webhook":
        """The webhook that brings what a person has texted."""
        content = {
            "to": FROM,
            "from": sender.removeprefix("+"),
            "channel": "sms",
            "message_uuid": str(uuid4()),
            "timestamp": _spelled(at),
            "message_type": "text",
            "text": text,
            "sms": {"num_messages": "1", "keyword": text.split(" ")[0].upper()},
            "usage": {"currency": "EUR", "price": "0.0333"},
        }
        return Webhook(content | extra)


def _spelled(at: datetime | None) -> str:
    return (at or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Webhook:
    """A webhook that may be sent once, twice, late, forged, altered or as old; order is yours."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.body = json.dumps(content).encode()
        self.content = content
        self.jti = str(uuid4())

    def claims(self, **other: Any) -> dict[str, Any]:
        return {
            "iat": int(time.time()),
            "jti": self.jti,
            "iss": "Vonage",
            "payload_hash": hashlib.sha256(self.body).hexdigest(),
            "api_key": "a1b2c3d4",
            "application_id": APPLICATION_ID,
        } | other

    def authorization(
        self, *, secret: str = SIGNATURE_SECRET, algorithm: str = "HS256", **claims: Any
    ) -> str:
        token = jwt.encode(self.claims(**claims), secret, algorithm=algorithm)
        return f"Bearer {token}"

    def send(
        self,
        url: str,
        *,
        times: int = 1,
        body: bytes | None = None,
        authorization: str | None = None,
        **signing: Any,
    ) -> list[int]:
        """POST it; ``iat``, ``secret`` or ``algorithm`` make a bad one, ``body`` an altered one.

        Answer the statuses that came back.
        """
        headers = {"Content-Type": "application/json"}
        if authorization is None:
            authorization = self.authorization(**signing)
        if authorization:
            headers["Authorization"] = authorization
        posted = self.body if body is None else body
        return [
            requests.post(url, data=posted, headers=headers, timeout=30).status_code
            for _ in range(times)
        ]


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, vonage: FakeVonage, port: int) -> None:
        self.vonage = vonage
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        # Known before its thread has begun, so that none is left out when we hang up.
        self.connections.add(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        for each in list(self.connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed in the middle is no news; anything else must not be lost."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            with self.vonage.lock:
                self.vonage.record.problems.append(repr(error))


class _Connection(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # No timeout: a client may keep its connection for as long as it likes, and we hang up last.

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def handle_one_request(self) -> None:
        # Only when a request has come: a connection that is kept open has none yet.
        if self.connection.recv(1, socket.MSG_PEEK) and self.server.vonage.cuts_off_unread():
            self.cut_off()
            return
        super().handle_one_request()

    def do_POST(self) -> None:
        vonage = self.server.vonage
        length = int(self.headers.get("Content-Length", 0))
        raw = self.rfile.read(length)
        if len(raw) < length:
            self.close_connection = True  # whoever sent it was killed in the middle
            return
        try:
            message = json.loads(raw)
            problem = vonage.problem_with(self.headers, message)
        except (ValueError, AttributeError, TypeError) as error:
            message, problem = {}, repr(error)
        if self.path != "/v1/messages":
            problem = f"path {self.path}"
        with vonage.lock:
            vonage.record.posts += 1
            if problem:
                vonage.record.problems.append(problem)
        if problem:
            self.answer(422, {"title": "Invalid params", "detail": problem})
            return
        self.meet(vonage.next_fault(message["client_ref"]), message)

    def meet(self, fault: Fault | None, message: dict[str, str]) -> None:
        if fault in (Fault.CLOSE_UNREAD, Fault.CLOSE_READ):
            self.cut_off()
        elif fault in STATUSES:
            self.refuse(fault, message)
        else:
            accepted = self.server.vonage.accept(message)
            self.answer_accepted(fault, {"message_uuid": accepted.message_uuid})

    def refuse(self, fault: Fault, message: dict[str, str]) -> None:
        status, title = STATUSES[fault]
        # As Vonage does, the answer quotes what it was asked.
        problem = {"title": title, "detail": f"about {message['to']}: {message['text']}"}
        headers = {}
        if fault is Fault.THROTTLED_FOR:
            headers["Retry-After"] = str(RETRY_AFTER)
        if fault is Fault.REDIRECT:
            headers["Location"] = self.path
        self.answer(status, problem, headers)

    def answer_accepted(self, fault: Fault | None, good: dict[str, Any]) -> None:
        vonage = self.server.vonage
        bad_answers: dict[Fault, tuple[int, dict[str, Any] | bytes]] = {
            Fault.GARBAGE: (202, b"<html>\xff\x00 it works</html>"),
            Fault.DEEP_GARBAGE: (202, b"[" * 50_000),
            Fault.NO_ID: (202, {"status": "ok"}),
            Fault.BAD_ID: (202, {"message_uuid": "soon"}),
            Fault.BROKEN_ACCEPTED: (500, {"title": "Internal error"}),
        }
        if fault is Fault.CLOSE_ACCEPTED:
            self.cut_off()
        elif fault in bad_answers:
            self.answer(*bad_answers[fault])
        elif fault in (Fault.DRIP, Fault.HALF):
            self.drip(json.dumps(good).encode(), is_all=fault is Fault.DRIP)
        else:
            if fault is Fault.SLOW:
                vonage.is_ending.wait(vonage.seconds_slow)
            elif fault is Fault.REFUSE_NEXT:
                vonage.refuse_for_a_moment()
            self.answer(202, good)

    def drip(self, body: bytes, *, is_all: bool) -> None:
        vonage = self.server.vonage
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for place in range(len(body)) if is_all else [0]:
            self.wfile.write(body[place : place + 1])
            vonage.is_ending.wait(vonage.seconds_slow / len(body))
        if not is_all:
            self.cut_off()

    def answer(
        self, status: int, content: dict[str, Any] | bytes, headers: dict[str, str] | None = None
    ) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def cut_off(self) -> None:
        """End the connection without an answer."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""


@contextmanager
def running_vonage() -> Iterator[FakeVonage]:
    fake = FakeVonage()
    fake.listen()
    try:
        yield fake
    finally:
        fake.end()


@pytest.fixture
def vonage(settings: Any) -> Iterator[FakeVonage]:
    """The fake, with the settings pointing at it; at the end it has understood every request."""
    with running_vonage() as fake:
        for name, value in fake.environment.items():
            setattr(settings, name, value)
        settings.VONAGE_TIMEOUT = 10
        yield fake
    assert fake.record.problems == []
