import pytest
from rest_framework.test import APIClient

from dashboard.api import lean


@pytest.fixture
def api() -> APIClient:
    return APIClient()


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    """Answers are kept by the state of the stores, which tests roll back."""
    lean.kept_answer.cache_clear()
