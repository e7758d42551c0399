from collections.abc import Sequence
from typing import NamedTuple

from stats.services import bulk_insert as bulk
from stats.services.bulk_insert import Content
from stats.services.group_commit import GroupWriter


class Outcome(NamedTuple):
    """What became of a message."""

    sent: Content
    stored: Content  # under the message's uuid
    is_new: bool

    @property
    def differences(self) -> list[str]:
        """The fields in which a known message differs from the one sent; it then was refused."""
        if self.is_new:
            return []
        sent, stored = self.sent, self.stored
        names = ["customer_id", "type", "thousandths", *(["timestamp"] if sent.is_timed else [])]
        return [name for name in names if getattr(sent, name) != getattr(stored, name)]


def record_messages(messages: Sequence[Content]) -> list[Outcome]:
    """Store and count messages in one transaction, each once by its uuid, for ever."""
    if not messages:
        return []
    first: dict[str, Content] = {}
    for message in messages:
        first.setdefault(message.uuid, message)
    new = bulk.store_and_count(list(first.values()))
    known = bulk.stored_among(first.keys() - new)
    standing = first | known
    outcomes = []
    for message in messages:
        outcomes.append(Outcome(message, standing[message.uuid], message.uuid in new))
        new.discard(message.uuid)
    return outcomes


writer = GroupWriter(record_messages)


def record_message(message: Content) -> Outcome:
    """Store and count a message, once by its uuid, in one transaction with all that come now.

    :raises OperationalError: if the store is away; a repeat then tells whether it was stored.
    """
    return writer.submit(message)
