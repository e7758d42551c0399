"""The HTTP client against a server on this machine."""

import gzip
import json
import socket
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import NamedTuple

import pytest

from common.http_client import HttpClient, RemoteServiceUnavailable, Response, Timeouts


class Received(NamedTuple):
    method: str
    path: str
    headers: dict
    body: bytes


class Server(ThreadingHTTPServer):
    """Gives the same response to every request and records the requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.status = 200
        self.headers = {}
        self.body = b"[]"
        self.requests = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = dict(self.headers.items())
        self.server.requests.append(Received(self.command, self.path, headers, body))
        self.send_response_only(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_PUT = respond  # noqa: N815 (names of the standard library)


@pytest.fixture
def server():
    with Server() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def dripping_url():
    """The URL of a server that sends one byte now and then and never ends."""
    is_over = Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[")
            while not is_over.wait(0.05):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    thread = Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    is_over.set()
    thread.join()
    listener.close()


def client_of(url, **options):
    return HttpClient(url, url_setting="THE_URL", key_setting="THE_KEY", **options)


def response_with(headers):
    return Response("GET http://127.0.0.1/events", 200, headers, b"[]", {})


class TestRequests:
    def test_get_sends_the_parameters_and_returns_the_decoded_body(self, server):
        server.body = b'[{"id": 1}]'

        with client_of(server.url) as client:
            response = client.get("/events", {"limit": 10, "updated__gte": "2020-01-01T00:00:00Z"})

        assert response.json() == [{"id": 1}]
        assert response.status == 200
        (request,) = server.requests
        assert request.method == "GET"
        assert request.path == "/events?limit=10&updated__gte=2020-01-01T00%3A00%3A00Z"
        assert request.headers["Accept"] == "application/json"

    @pytest.mark.parametrize("method", ["post", "put"])
    def test_post_and_put_send_json(self, server, method):
        server.status = 201

        with client_of(server.url) as client:
            getattr(client, method)("/jobs", {"name": "Zoë"})

        (request,) = server.requests
        assert request.method == method.upper()
        assert request.headers["Content-Type"] == "application/json"
        assert json.loads(request.body) == {"name": "Zoë"}

    def test_a_base_url_may_end_with_a_slash(self, server):
        with client_of(f"{server.url}/") as client:
            client.get("/events")

        assert server.requests[0].path == "/events"

    def test_an_api_key_is_sent_in_the_authorization_header(self, server):
        with client_of(server.url, api_key="abc.def") as client:
            client.get("/events")

        assert server.requests[0].headers["Authorization"] == "Api-Key abc.def"

    def test_no_authorization_header_is_sent_without_an_api_key(self, server):
        with client_of(server.url) as client:
            client.get("/events")

        assert "Authorization" not in server.requests[0].headers

    def test_redirects_are_not_followed(self, server):
        server.status = 302
        server.headers = {"Location": f"{server.url}/elsewhere"}

        with (
            client_of(server.url, api_key="abc.def") as client,
            pytest.raises(RemoteServiceUnavailable, match=r"/events answered 302"),
        ):
            client.get("/events")

        assert [request.path for request in server.requests] == ["/events"]

    def test_a_compressed_body_is_decompressed(self, server):
        server.headers = {"Content-Encoding": "gzip"}
        server.body = gzip.compress(b'{"id": 1}')

        with client_of(server.url) as client:
            assert client.get("/events").json() == {"id": 1}


class TestLimits:
    def test_a_body_over_the_size_limit_is_an_error(self, server):
        server.body = b" " * 101

        with (
            client_of(server.url, max_bytes=100) as client,
            pytest.raises(RemoteServiceUnavailable, match="returned more than 100 bytes"),
        ):
            client.get("/events")

    def test_a_compressed_body_is_measured_after_decompression(self, server):
        server.headers = {"Content-Encoding": "gzip"}
        server.body = gzip.compress(b" " * 10_000)

        with (
            client_of(server.url, max_bytes=1_000) as client,
            pytest.raises(RemoteServiceUnavailable, match="returned more than 1000 bytes"),
        ):
            client.get("/events")

    def test_a_response_that_never_ends_stops_at_the_total_time_limit(self, dripping_url):
        timeouts = Timeouts(connect=1.0, read=5.0, total=0.3)

        with (
            client_of(dripping_url, timeouts=timeouts) as client,
            pytest.raises(RemoteServiceUnavailable, match=r"took more than 0\.3 seconds"),
        ):
            client.get("/events")

    def test_a_server_that_sends_nothing_stops_at_the_read_time_limit(self):
        timeouts = Timeouts(connect=1.0, read=0.1, total=5.0)

        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            client_of(f"http://127.0.0.1:{listener.getsockname()[1]}", timeouts=timeouts) as client,
            pytest.raises(RemoteServiceUnavailable, match="failed: ReadTimeout"),
        ):
            client.get("/events")


class TestErrors:
    def test_a_refused_connection_names_the_request_and_the_setting_to_check(self):
        with (
            client_of("http://127.0.0.1:1") as client,
            pytest.raises(RemoteServiceUnavailable) as error,
        ):
            client.get("/events")

        assert str(error.value) == (
            "GET http://127.0.0.1:1/events failed: ConnectionError (check THE_URL)"
        )

    def test_a_body_that_is_cut_off_is_an_error(self):
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")

        thread = Thread(target=serve)
        thread.start()
        with (
            listener,
            client_of(f"http://127.0.0.1:{listener.getsockname()[1]}") as client,
            pytest.raises(RemoteServiceUnavailable, match="failed: "),
        ):
            client.get("/events")
        thread.join()

    def test_an_error_status_is_reported_with_an_excerpt_of_the_body(self, server):
        server.status = 503
        server.body = b'{"detail":\n"Try again."}' + b"x" * 1_000

        with client_of(server.url) as client, pytest.raises(RemoteServiceUnavailable) as error:
            client.post("/events", {})

        start = f'POST {server.url}/events answered 503 {{"detail": "Try again."}}xxx'
        assert str(error.value).startswith(start)
        assert len(str(error.value)) < 300

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_rejected_api_key_names_the_setting_to_check(self, server, status):
        server.status = status

        with (
            client_of(server.url) as client,
            pytest.raises(RemoteServiceUnavailable, match=rf"{status} \[\] \(check THE_KEY\)$"),
        ):
            client.get("/events")

    def test_request_returns_a_response_with_an_error_status(self, server):
        server.status = 400

        with client_of(server.url) as client:
            assert client.request("GET", "/events").status == 400

    @pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000])
    def test_a_body_that_is_not_json_is_an_error(self, server, body):
        server.body = body

        with (
            client_of(server.url) as client,
            pytest.raises(RemoteServiceUnavailable, match="did not return JSON"),
        ):
            client.get("/events").json()


class TestHeaders:
    def test_next_parameters_are_the_query_of_the_next_link(self, server):
        server.headers = {"Link": '<http://elsewhere.test/x?limit=2&cursor=a%3D>; rel="next"'}

        with client_of(server.url) as client:
            response = client.get("/events")

        assert response.next_parameters == {"limit": "2", "cursor": "a="}

    def test_next_parameters_are_none_on_the_last_page(self, server):
        with client_of(server.url) as client:
            assert client.get("/events").next_parameters is None

    def test_a_next_link_that_is_not_a_url_is_an_error(self, server):
        server.headers = {"Link": '<http://[::1>; rel="next"'}

        with client_of(server.url) as client:
            response = client.get("/events")

        with pytest.raises(RemoteServiceUnavailable, match="invalid next link"):
            _ = response.next_parameters

    def test_date_is_the_time_of_the_response_in_utc(self):
        response = response_with({"Date": "Mon, 01 Jun 2020 14:00:00 +0200"})

        assert response.date == datetime(2020, 6, 1, 12, tzinfo=UTC)

    @pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}])
    def test_a_missing_or_malformed_date_is_none(self, headers):
        assert response_with(headers).date is None
