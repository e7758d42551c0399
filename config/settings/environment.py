"""Helpers that read environment variables, and the data folder."""

import os
from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()
env.read_env(BASE_DIR / env.str("ENV_FILE", default=".env"))
# Docker Compose and shells pass unset variables as empty strings.
env.ENVIRON = {name: value for name, value in os.environ.items() if value}


def whole_number(name: str, default: int, *, maximum: int = 10**9) -> int:
    """Return a whole number from 1 to the maximum.

    :raises ImproperlyConfigured: if the variable has a different value.
    """
    value: str = env.str(name, default=str(default))
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= maximum):
        raise ImproperlyConfigured(
            f"{name} must be a whole number from 1 to {maximum}, not {value!r}."
        )
    return int(value)


def seconds(name: str, default: int) -> timedelta:
    """Return a whole number of seconds as a duration.

    :raises ImproperlyConfigured: if the variable is not a positive whole number.
    """
    return timedelta(seconds=whole_number(name, default))


def boolean(name: str, *, default: bool = False) -> bool:
    """Return a boolean.

    :raises ImproperlyConfigured: if the variable is neither true nor false.
    """
    value: str = env.str(name, default=str(default)).lower()
    if value not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in {"true", "1", "yes", "on"}


def _data_dir() -> Path:
    folder = Path(env.str("DATA_DIR", default=BASE_DIR / "var")).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(f"DATA_DIR cannot be created: {error}") from error
    return folder


# The folder of all embedded files: databases, broker, generated secrets.
DATA_DIR = _data_dir()
# Where `make run` listens on 127.0.0.1.
PORT = whole_number("PORT", 8000, maximum=65_535)
