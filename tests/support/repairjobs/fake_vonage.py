"""Vonage's Messages API as a real server on a port of its own, which can fail in every way."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.repairjobs.fake_vonage_server import Fault, VonageServer
from tests.support.repairjobs.vonage_webhooks import (
    APPLICATION_ID,
    FROM,
    SIGNATURE_SECRET,
    AcceptedSms,
)

RETRY_AFTER = 7
MOMENT = 0.2


@dataclass
class Record:
    """What the server received. Refused connections are not recorded."""

    posts: int = 0  # complete requests, and those that were cut off unread
    accepted: list[AcceptedSms] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # requests that Vonage would not understand


class FakeVonage:
    """The server, its record, and its orders.

    ``faults`` are for the next requests, one each; ``None`` is a good answer. After them a random
    mix, if there is one, decides each request by its ``client_ref`` and attempt, so that threads
    and processes meet the same faults in any order.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.is_ending = threading.Event()
        self.listening = threading.Lock()
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.servers: list[VonageServer] = []
        self.port = 0
        self._forget()

    def _forget(self) -> None:
        self.record = Record()
        self.faults: list[Fault | None] = []
        self.mix: Callable[[str, int], Fault | None] = lambda reference, attempt: None
        self.slow_seconds = 30.0
        self.retry_after = RETRY_AFTER
        self.next_message_uuids: list[str] = []
        self.attempts: dict[str, int] = {}
        self.pauses: list[threading.Thread] = []

    def reset(self) -> None:
        """Forget everything that one test did, and end its slow answers."""
        self._end_slow_answers()
        with self.lock:
            self.is_ending = threading.Event()
            self._forget()

    # --- Address ---

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @cached_property
    def private_key(self) -> str:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a process that sends its SMS to this server."""
        return {
            "SMS_BACKEND": "vonage",
            "VONAGE_API_HOST": self.url,
            "VONAGE_APPLICATION_ID": APPLICATION_ID,
            "VONAGE_PRIVATE_KEY": self.private_key,
            "VONAGE_SIGNATURE_SECRET": SIGNATURE_SECRET,
            "VONAGE_FROM": FROM,
        }

    @property
    def settings(self) -> dict[str, Any]:
        """The Django settings of tests that send their SMS to this server."""
        # A test does not wait for its turn to send.
        return self.environment | {"VONAGE_TIMEOUT": 10, "SMS_PER_SECOND": 1_000}

    def listen(self) -> None:
        self.servers.append(server := VonageServer(self, self.port))
        self.port = server.server_address[1]
        self.loop = threading.Thread(target=server.serve_forever, args=(0.02,))
        self.loop.start()

    def stop_listening(self) -> None:
        """Refuse new connections. Requests that were received are still answered."""
        self.servers[-1].shutdown()
        self.loop.join()
        self.servers[-1].socket.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse all connections in this block."""
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
        self._end_slow_answers()
        self.stop_listening()
        for server in self.servers:
            server.hang_up()
            server.server_close()  # waits for its requests

    def _end_slow_answers(self) -> None:
        self.is_ending.set()
        for pausing in self.pauses:
            pausing.join()

    # --- Orders ---

    def fail(self, *faults: Fault | None) -> None:
        with self.lock:
            self.faults += faults

    def fail_at_random(self, *, seed: int, share: float, among: list[Fault] | None = None) -> None:
        """Let that share of all requests fail; the same requests for the same seed."""
        choices = among or list(Fault)

        def mix(reference: str, attempt: int) -> Fault | None:
            rng = random.Random(f"{seed} {reference} {attempt}")
            return rng.choice(choices) if rng.random() < share else None

        self.mix = mix

    def next_fault(self, reference: str) -> Fault | None:
        with self.lock:
            self.attempts[reference] = attempt = self.attempts.get(reference, 0) + 1
            if self.faults:
                return self.faults.pop(0)
            return self.mix(reference, attempt)

    def cuts_off_unread(self) -> bool:
        """Return whether to cut off the next request before it is read."""
        with self.lock:
            if self.faults and self.faults[0] is Fault.CLOSE_UNREAD:
                self.faults.pop(0)
                self.record.posts += 1
                return True
        return False

    # --- Record ---

    @property
    def accepted(self) -> list[AcceptedSms]:
        with self.lock:
            return list(self.record.accepted)

    @property
    def numbers(self) -> list[str]:
        """The numbers of all accepted SMS, in E.164."""
        return [f"+{sms.to}" for sms in self.accepted]

    @property
    def posts(self) -> int:
        with self.lock:
            return self.record.posts

    def accepted_for(self, reference: str) -> list[AcceptedSms]:
        return [sms for sms in self.accepted if sms.client_ref == reference]

    def problem_with(self, headers: Any, message: Any) -> str | None:
        """Return the parts of a request that Vonage would not understand."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        try:
            claims = jwt.decode(token, self.key.public_key(), algorithms=["RS256"])
        except jwt.PyJWTError as error:
            return f"Authorization: {error!r}"
        checks = {
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
        return ", ".join(name for name, is_right in checks.items() if not is_right) or None

    def accept(self, message: dict[str, str]) -> AcceptedSms:
        with self.lock:
            uuids = self.next_message_uuids
            accepted = AcceptedSms(
                message_uuid=uuids.pop(0) if uuids else str(uuid4()),
                to=message["to"],
                sender=message["from"],
                text=message["text"],
                client_ref=message["client_ref"],
            )
            self.record.accepted.append(accepted)
        return accepted


@contextmanager
def running_vonage() -> Iterator[FakeVonage]:
    fake = FakeVonage()
    fake.listen()
    try:
        yield fake
    finally:
        fake.end()


@pytest.fixture(scope="session")
def vonage_server() -> Iterator[FakeVonage]:
    """One server for all tests of a process."""
    with running_vonage() as fake:
        yield fake


@pytest.fixture
def vonage(vonage_server: FakeVonage, settings: Any) -> Iterator[FakeVonage]:
    """The fake Vonage, where the settings send SMS; its record is empty.

    After the test, every request must have been one that Vonage understands.
    """
    for name, value in vonage_server.settings.items():
        setattr(settings, name, value)
    vonage_server.reset()
    yield vonage_server
    assert vonage_server.record.problems == []
