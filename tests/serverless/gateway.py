"""API Gateway for tests: its events as AWS documents them, and an address that makes them."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.serverless.local import Function

HOST = "abcdefghij.execute-api.eu-west-1.amazonaws.com"
ADDRESS = "203.0.113.9"


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def http_api(
    method: str, url: str, body: bytes = b"", *, as_base64: bool = False, **headers: str
) -> dict[str, Any]:
    """Payload format 2.0: an HTTP API's, or a function URL's; HTTP APIs tell the path decoded."""
    parts = urlsplit(url)
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": _headers(headers),
        "requestContext": {
            "accountId": "123456789012",
            "domainName": HOST,
            "http": {
                "method": method,
                "path": parts.path,
                "protocol": "HTTP/1.1",
                "sourceIp": ADDRESS,
                "userAgent": "curl",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
        },
        **_body(body, as_base64),
    }
    if "cookie" in event["headers"]:
        event["cookies"] = event["headers"].pop("cookie").split("; ")
    return event


def rest_api(
    method: str, url: str, body: bytes = b"", *, as_base64: bool = False, **headers: str
) -> dict[str, Any]:
    """Payload format 1.0: a REST API's."""
    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True)
    one_each = _headers(headers)
    return {
        "version": "1.0",
        "resource": "/{proxy+}",
        "path": parts.path,
        "httpMethod": method,
        "headers": one_each,
        "multiValueHeaders": {name: [value] for name, value in one_each.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {
            "accountId": "123456789012",
            "httpMethod": method,
            "identity": {"sourceIp": ADDRESS},
            "path": f"/prod{parts.path}",
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "stage": "prod",
        },
        **_body(body, as_base64),
    }


def _headers(given: dict[str, str]) -> dict[str, str]:
    ours = {"host": HOST, "x-forwarded-for": ADDRESS, "x-forwarded-port": "443"}
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return ours | {"x-forwarded-proto": "https"} | named


def _body(body: bytes, as_base64: bool) -> dict[str, Any]:
    if as_base64:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body.decode() if body else None, "isBase64Encoded": False}


def read(answer: dict[str, Any]) -> Answered:
    """What the gateway would send to the caller."""
    several = answer.get("multiValueHeaders", {})
    headers = answer.get("headers", {}) | {name: values[-1] for name, values in several.items()}
    body = answer["body"].encode()
    return Answered(
        answer["statusCode"],
        {name.lower(): value for name, value in headers.items()},
        base64.b64decode(body) if answer["isBase64Encoded"] else body,
    )


@contextmanager
def gateway(function: Function) -> Iterator[str]:
    """An address behind which the function answers."""

    class Connection(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.pass_on(http_api("GET", self.path, **self.told()))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.pass_on(http_api("POST", self.path, body, **self.told()))

        def told(self) -> dict[str, str]:
            return {
                name: self.headers[name]
                for name in ("accept", "content-type")
                if name in self.headers
            }

        def pass_on(self, event: dict[str, Any]) -> None:
            answered = read(function.invoke(event))
            self.send_response(answered.status)
            for name, value in answered.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answered.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads this."""

    server = HTTPServer(("127.0.0.1", 0), Connection)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
