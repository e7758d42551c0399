import multiprocessing
from queue import Empty

from kombu import Connection

from local.broker import Transport
from local.embedded import broker_options

MESSAGES = 3_000


def send(folder):
    with Connection("filesystem://localhost", transport=Transport) as connection:
        connection.transport_options = broker_options(folder)
        channel = connection.channel()
        for number in range(MESSAGES):
            channel._put("q", {"number": number, "padding": "x" * 2_000})


def test_a_reader_never_sees_an_incomplete_message(tmp_path):
    sender = multiprocessing.get_context("spawn").Process(target=send, args=[tmp_path])
    sender.start()
    numbers = []
    with Connection("filesystem://localhost", transport=Transport) as connection:
        connection.transport_options = broker_options(tmp_path)
        channel = connection.channel()
        while len(numbers) < MESSAGES:
            try:
                numbers.append(channel._get("q")["number"])
            except Empty:
                assert sender.is_alive() or len(numbers) == MESSAGES or channel._size("q")
    sender.join()

    assert numbers == list(range(MESSAGES))
