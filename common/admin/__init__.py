"""The admin: what every service's inspector's door borrows, and the shell's own pages."""

from common.admin import dashboard, users  # noqa: F401 (register themselves)
from common.admin.actions import About, confirmed, record
from common.admin.base import KnownChoiceFilter, ReadOnlyAdmin

__all__ = ["About", "KnownChoiceFilter", "ReadOnlyAdmin", "confirmed", "record"]
