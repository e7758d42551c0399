"""The meaning of database errors, for all engines."""

from django.db import InterfaceError, InternalError, OperationalError

READ_ONLY_TRANSACTION = "25006"  # PostgreSQL, for example on a standby


def is_unavailable(error: BaseException) -> bool:
    """Return whether the error means that the database cannot be reached or cannot write."""
    if isinstance(error, InternalError):
        return getattr(error.__cause__, "pgcode", None) == READ_ONLY_TRANSACTION
    return isinstance(error, OperationalError | InterfaceError)
