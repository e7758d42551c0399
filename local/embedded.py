"""Embedded databases, broker and secrets: files in ``DATA_DIR`` instead of servers."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any


def sqlite_options() -> dict[str, Any]:
    """Return options for concurrent processes: WAL, and a long wait for the write lock."""
    return {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }


def broker_options(folder: Path) -> dict[str, Any]:
    """Create the folders of kombu's filesystem transport and return its options."""
    queues, control, processed = folder / "queues", folder / "control", folder / "processed"
    for path in (queues, control, processed):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(queues),
        "data_folder_out": str(queues),
        "control_folder": str(control),
        "processed_folder": str(processed),
        "store_processed": False,
        "polling_interval": 0.1,
    }


def load_or_create_secret(path: Path, *, bytes: int = 48) -> str:
    """Return the secret in this file. If there is none, create it, readable only by its owner."""
    if not path.exists():
        # Linking fails if the file exists, so processes that start together use the same secret.
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(bytes))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()
