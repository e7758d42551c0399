import pytest

# So that an assertion in what tests share says what it saw.
pytest.register_assert_rewrite(
    *(f"tests.{name}" for name in ("compose", "processes", "servers")),
    *(f"tests.{name}" for name in ("aws_lambda", "dashboard", "stats", "support")),
)
