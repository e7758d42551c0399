"""The admin: what every service's inspector's door borrows, and the shell's own pages."""

from config.admin import front, keys, people  # noqa: F401 (register themselves)
from config.admin.acting import About, confirmed, record
from config.admin.inspecting import KnownChoiceFilter, ReadOnlyAdmin

__all__ = ["About", "KnownChoiceFilter", "ReadOnlyAdmin", "confirmed", "record"]
