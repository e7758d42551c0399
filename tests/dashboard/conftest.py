import pytest
import responses

from tests.dashboard.fake_provider import Clock, FakeProvider


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def provider(clock):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield FakeProvider(mock, clock)
