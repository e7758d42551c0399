"""What stands in for servers on a bare machine: files under DATA_DIR."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any


def sqlite_options() -> dict[str, Any]:
    """Options for one writer beside many readers: WAL, and patience where another one writes."""
    return {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }


def broker_options(folder: Path) -> dict[str, Any]:
    """Options of kombu's filesystem transport, with its folders made."""
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
    """The secret kept in this file, made the first time; readable by its owner alone."""
    if not path.exists():
        # Written aside and linked into place: processes that start at once agree on one.
        draft = path.with_suffix(f".{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(bytes))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()
