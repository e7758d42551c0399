"""AWS Lambda on this machine: the real runtime client with a Runtime API of the tests.

As on Lambda, a sandbox runs one invocation at a time. It is frozen while it waits for the next
invocation, and killed if an invocation times out; the next invocation then starts a new sandbox.
"""

import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from tests.processes import PATIENCE, running

START = "/2018-06-01/runtime"
TIMED_OUT = "Sandbox.Timedout"


class Failed(Exception):
    """The error that Lambda reports for a failed invocation."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(f"{type}: {message}")
        self.type, self.message = type, message


@dataclass(frozen=True)
class Invocation:
    event: Any
    deadline: float  # seconds since 1970


class Function:
    """A function with one sandbox."""

    def __init__(self, handler: str, env: dict[str, str]) -> None:
        self.handler, self.env = handler, env
        self.sandbox = ExitStack()
        self.server: _RuntimeApi | None = None
        self.process: Any = None
        self.log = Path(env["DATA_DIR"]) / "output.log"

    def start(self) -> None:
        """Start a sandbox without waiting for it. The first invocation waits."""
        server = _RuntimeApi()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.sandbox.callback(server.end)
        lambda_env = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": self.handler,
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
        command = [sys.executable, "-m", "awslambdaric", f"serverless.handlers.{self.handler}"]
        self.process = self.sandbox.enter_context(running(self.env | lambda_env, *command))
        # A frozen process would not end on SIGTERM.
        self.sandbox.callback(self.process.kill)
        server.pid.set_result(self.process.pid)
        self.server = server

    def invoke(self, event: Any = None, seconds: float = PATIENCE) -> Any:
        """Invoke the function with a time limit. Return its result.

        :raises Failed: if the invocation fails or times out.
        """
        if self.server is None:
            self.start()
        server = self.server
        assert server is not None
        server.invocations.put(Invocation(event, time.time() + seconds))
        try:
            outcome = server.outcomes.get(timeout=seconds)
        except Empty:
            self.kill()
            outcome = server.outcomes.get()
        if isinstance(outcome, Failed):
            raise outcome
        return outcome

    def kill(self) -> None:
        """Kill the sandbox, as Lambda does when an invocation times out."""
        assert self.server is not None
        self.process.kill()
        self.process.wait()
        outcomes = self.server.outcomes
        self.end()
        outcomes.put(Failed(TIMED_OUT, "the sandbox was killed"))

    def end(self) -> None:
        self.sandbox.close()
        self.server = None

    def is_frozen(self) -> bool:
        state = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"


class _RuntimeApi(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.invocations: SimpleQueue[Invocation | None] = SimpleQueue()
        self.outcomes: SimpleQueue[Any] = SimpleQueue()
        self.pid: Future[int] = Future()

    def freeze(self) -> None:
        os.kill(self.pid.result(), signal.SIGSTOP)

    def thaw(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid.result(), signal.SIGCONT)

    def end(self) -> None:
        self.invocations.put(None)
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: the sandbox was killed while it waited."""


class _Connection(BaseHTTPRequestHandler):
    server: _RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        assert self.path == f"{START}/invocation/next", self.path
        self.server.freeze()
        invocation = self.server.invocations.get()
        if invocation is None:
            return
        self.server.thaw()
        self.respond(
            200,
            json.dumps(invocation.event).encode(),
            {
                "Lambda-Runtime-Aws-Request-Id": str(uuid4()),
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:1:function:ours",
                "Lambda-Runtime-Trace-Id": "Root=1-0-0",
            },
        )

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/error"):
            header = self.headers["Lambda-Runtime-Function-Error-Type"]
            assert self.path != f"{START}/init/error" or header == body["errorType"]
            assert isinstance(body["stackTrace"], list)
            body = Failed(body["errorType"], body["errorMessage"])
        else:
            assert self.path.endswith("/response"), self.path
        self.respond(202, b"{}", {})
        self.server.outcomes.put(body)

    def respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
