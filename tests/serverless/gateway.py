"""API Gateway for tests: events as AWS documents them, and a server that creates them."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.serverless.runtime import Function

HOST = "abcdefghij.execute-api.eu-west-1.amazonaws.com"
ADDRESS = "203.0.113.9"


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def http_api(
    method: str, url: str, body: bytes = b"", *, as_base64: bool = False, **headers: str
) -> dict[str, Any]:
    """Return an event of an HTTP API or a function URL (payload 2.0). HTTP APIs decode the path."""
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
    """Return an event of a REST API (payload 1.0)."""
    parts = urlsplit(url)
    query = parse_qs(parts.query, keep_blank_values=True)
    header_values = _headers(headers)
    return {
        "version": "1.0",
        "resource": "/{proxy+}",
        "path": parts.path,
        "httpMethod": method,
        "headers": header_values,
        "multiValueHeaders": {name: [value] for name, value in header_values.items()},
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


def _headers(headers: dict[str, str]) -> dict[str, str]:
    defaults = {"host": HOST, "x-forwarded-for": ADDRESS, "x-forwarded-port": "443"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return defaults | {"x-forwarded-proto": "https"} | named


def _body(body: bytes, as_base64: bool) -> dict[str, Any]:
    if as_base64:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body.decode() if body else None, "isBase64Encoded": False}


def read(result: dict[str, Any]) -> Response:
    """Return the response that the gateway would send for the function's result."""
    multi_headers = result.get("multiValueHeaders", {})
    headers = result.get("headers", {}) | {
        name: values[-1] for name, values in multi_headers.items()
    }
    body = result["body"].encode()
    return Response(
        result["statusCode"],
        {name.lower(): value for name, value in headers.items()},
        base64.b64decode(body) if result["isBase64Encoded"] else body,
    )


@contextmanager
def gateway(function: Function) -> Iterator[str]:
    """Serve the function over HTTP. Yield the URL."""

    class Connection(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.pass_on(http_api("GET", self.path, **self.passed_headers()))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.pass_on(http_api("POST", self.path, body, **self.passed_headers()))

        def passed_headers(self) -> dict[str, str]:
            return {
                name: self.headers[name]
                for name in ("accept", "content-type")
                if name in self.headers
            }

        def pass_on(self, event: dict[str, Any]) -> None:
            response = read(function.invoke(event))
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Connection)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
