import pytest

# Shared test code reports values of failed assertions as test modules do.
pytest.register_assert_rewrite(
    *(f"tests.{name}" for name in ("compose", "processes", "servers")),
    *(f"tests.{name}" for name in ("common", "dashboard", "serverless", "stats", "support")),
)
