from collections.abc import Sequence
from typing import NamedTuple

from stats.models import MessageData
from stats.services.bulk_insert import find_messages, insert_and_count
from stats.services.group_commit import GroupCommitWriter


class Outcome(NamedTuple):
    """The result of recording one message."""

    sent: MessageData
    stored: MessageData  # the stored message with this uuid
    is_new: bool

    @property
    def conflicts(self) -> list[str]:
        """The fields whose sent value differs from the stored value. The stored value stays."""
        if self.is_new:
            return []
        sent, stored = self.sent, self.stored
        names = ["customer_id", "type", "amount_thousandths"]
        if sent.has_sender_timestamp:
            names.append("timestamp")
        return [name for name in names if getattr(sent, name) != getattr(stored, name)]


def record_messages(messages: Sequence[MessageData]) -> list[Outcome]:
    """Store and count messages in one transaction, and commit it. Each uuid is counted once."""
    if not messages:
        return []
    first_by_uuid: dict[str, MessageData] = {}
    for message in messages:
        first_by_uuid.setdefault(message.uuid, message)
    new_uuids = insert_and_count(list(first_by_uuid.values()))
    stored = first_by_uuid | find_messages(first_by_uuid.keys() - new_uuids)
    outcomes = []
    for message in messages:
        outcomes.append(Outcome(message, stored[message.uuid], message.uuid in new_uuids))
        new_uuids.discard(message.uuid)  # only the first message with this uuid is new
    return outcomes


writer = GroupCommitWriter(record_messages)


def record_message(message: MessageData) -> Outcome:
    """Store and count one message, in one transaction with others that arrive at the same time.

    :raises OperationalError: if the database is unavailable. The message may have been stored;
        sending it again is safe.
    """
    return writer.submit(message)
