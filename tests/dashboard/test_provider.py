"""What the library that fakes HTTP cannot show: an answer that never ends."""

import socket
from threading import Event, Thread

import pytest

from dashboard.integrations import data_provider as provider
from dashboard.integrations.data_provider import ProviderUnavailable


@pytest.fixture
def drip(settings):
    """A server that sends a byte now and then; its URL."""
    is_over = Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        wire, _ = listener.accept()
        with wire:
            wire.recv(65536)
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[")
            while not is_over.wait(0.05):
                try:
                    wire.sendall(b" ")
                except OSError:
                    return

    thread = Thread(target=serve)
    thread.start()
    settings.DATA_PROVIDER_URL = f"http://127.0.0.1:{listener.getsockname()[1]}"
    yield
    is_over.set()
    thread.join()
    listener.close()


class TestPages:
    def test_that_drip_are_given_up(self, drip, settings):
        settings.DATA_PROVIDER_TIMEOUTS = (1.0, 5.0, 0.3)

        with pytest.raises(ProviderUnavailable, match=r"took over 0\.3 seconds"):
            list(provider.pages())

    def test_of_nobody_are_unavailable(self, settings):
        settings.DATA_PROVIDER_URL = "http://127.0.0.1:1"

        with pytest.raises(ProviderUnavailable, match="failed: ConnectionError"):
            list(provider.pages())
