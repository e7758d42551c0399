"""The HTTP side of the fake Vonage: a server that answers well or fails in every way."""

import json
import socket
import sys
from contextlib import suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.repairjobs.fake_vonage import FakeVonage


class Fault(StrEnum):
    """What the server does instead of accepting an SMS, or after accepting it."""

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
    # With all faults from here on, the server has accepted the SMS.
    CLOSE_ACCEPTED = "closed after the SMS was accepted"
    SLOW = "accepted, answered too late"
    DRIP = "accepted, answered byte by byte"
    GARBAGE = "accepted, answered with garbage"
    DEEP_GARBAGE = "accepted, answered with JSON that breaks parsers"
    HALF = "accepted, closed in the middle of the answer"
    NO_ID = "accepted, answered without an id"
    BAD_ID = "accepted, answered with a malformed id"
    BROKEN_ACCEPTED = "accepted, answered 500"
    REFUSE_NEXT = "accepted and answered; the next connections are refused for a moment"


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


class VonageServer(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, vonage: "FakeVonage", port: int) -> None:
        self.vonage = vonage
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        # Added before the connection's thread starts, so that hang_up() finds every connection.
        self.connections.add(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """Close the connections that clients keep open."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report every error except a lost connection: tests kill clients on purpose."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            with self.vonage.lock:
                self.vonage.record.problems.append(repr(error))


class _Connection(BaseHTTPRequestHandler):
    server: VonageServer
    protocol_version = "HTTP/1.1"
    # No timeout: clients may keep their connections open until the server hangs up.

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def handle_one_request(self) -> None:
        # A connection that is kept open has no request yet: wait for its first byte.
        if self.connection.recv(1, socket.MSG_PEEK) and self.server.vonage.cuts_off_unread():
            self.cut_off()
            return
        super().handle_one_request()

    def do_POST(self) -> None:
        vonage = self.server.vonage
        length = int(self.headers.get("Content-Length", 0))
        raw = self.rfile.read(length)
        if len(raw) < length:
            self.close_connection = True  # the sender was killed in the middle
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
        self.answer_message(vonage.next_fault(message["client_ref"]), message)

    def answer_message(self, fault: Fault | None, message: dict[str, str]) -> None:
        if fault in (Fault.CLOSE_UNREAD, Fault.CLOSE_READ):
            self.cut_off()
        elif fault in STATUSES:
            self.refuse(fault, message)
        else:
            accepted = self.server.vonage.accept(message)
            self.answer_accepted(fault, {"message_uuid": accepted.message_uuid})

    def refuse(self, fault: Fault, message: dict[str, str]) -> None:
        status, title = STATUSES[fault]
        # Vonage's error responses quote the request.
        problem = {"title": title, "detail": f"about {message['to']}: {message['text']}"}
        headers = {}
        if fault is Fault.THROTTLED_FOR:
            headers["Retry-After"] = str(self.server.vonage.retry_after)
        if fault is Fault.REDIRECT:
            headers["Location"] = self.path
        self.answer(status, problem, headers)

    def answer_accepted(self, fault: Fault | None, good_answer: dict[str, Any]) -> None:
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
            self.drip(json.dumps(good_answer).encode(), is_complete=fault is Fault.DRIP)
        else:
            if fault is Fault.SLOW:
                vonage.is_ending.wait(vonage.slow_seconds)
            elif fault is Fault.REFUSE_NEXT:
                vonage.refuse_for_a_moment()
            self.answer(202, good_answer)

    def drip(self, body: bytes, *, is_complete: bool) -> None:
        vonage = self.server.vonage
        is_ending = vonage.is_ending
        self.send_response(202)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for position in range(len(body)) if is_complete else [0]:
            self.wfile.write(body[position : position + 1])
            is_ending.wait(vonage.slow_seconds / len(body))
        if not is_complete:
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
        """Print nothing."""
