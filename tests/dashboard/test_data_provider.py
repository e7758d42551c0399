import socket
from threading import Event, Thread

import pytest

from common.http_client import RemoteServiceUnavailable
from dashboard.integrations.data_provider import fetch_pages


@pytest.fixture
def dripping_provider(settings):
    """A server that sends one byte now and then and never ends its response."""
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
    settings.DATA_PROVIDER_URL = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield
    is_over.set()
    thread.join()
    listener.close()


def test_response_that_never_ends_fails_at_the_time_limit(dripping_provider, settings):
    settings.DATA_PROVIDER_TIMEOUTS = (1.0, 5.0, 0.3)

    with pytest.raises(RemoteServiceUnavailable, match=r"took more than 0\.3 seconds"):
        list(fetch_pages())


def test_provider_that_refuses_connections_is_unavailable(settings):
    settings.DATA_PROVIDER_URL = "http://127.0.0.1:1"

    with pytest.raises(RemoteServiceUnavailable, match="failed: ConnectionError"):
        list(fetch_pages())
