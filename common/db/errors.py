"""What a store's errors mean, whichever engine it is."""

from django.db import InterfaceError, InternalError, OperationalError

READ_ONLY_TRANSACTION = "25006"  # of PostgreSQL, for example on a standby


def is_unavailable(error: BaseException) -> bool:
    """Whether the store cannot be reached or cannot write now, whatever was asked of it."""
    if isinstance(error, InternalError):
        return getattr(error.__cause__, "pgcode", None) == READ_ONLY_TRANSACTION
    return isinstance(error, OperationalError | InterfaceError)
