"""The admin: what every service's inspector's door borrows, and the shell's own pages."""

from config.admin import front, keys, people  # noqa: F401 (register themselves)
from config.admin.acting import confirmed, record
from config.admin.inspecting import ReadOnlyAdmin

__all__ = ["ReadOnlyAdmin", "confirmed", "record"]
