"""The embedded broker: kombu's folder of files, with messages that are seen only when whole."""

from pathlib import Path
from time import monotonic_ns
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Kombu writes a message where readers look for it, and they may find half of it."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # Readers take the oldest by name; a name that begins with a point is none of theirs.
        name = f"{monotonic_ns():020}_{uuid4()}.{queue}.msg"
        draft = folder / f".{name}"
        draft.write_text(dumps(payload))
        draft.replace(folder / name)


class Transport(filesystem.Transport):
    Channel = Channel
