"""The admin: base classes and actions for the services, and the project's own pages."""

from common.admin import dashboard, users  # noqa: F401 (register themselves)
from common.admin.actions import Eligibility, log_change, requires_confirmation
from common.admin.base import ReadOnlyAdmin, StrictChoiceFilter

__all__ = [
    "Eligibility",
    "ReadOnlyAdmin",
    "StrictChoiceFilter",
    "log_change",
    "requires_confirmation",
]
