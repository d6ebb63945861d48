"""Whose placeholder may stand: answers of a conversation are read from top to bottom.

A placeholder becomes the answer where it stands. So there is none for a message while an
earlier one of its conversation has neither its end nor a placeholder: that one's answer
would be posted below.
"""

from collections import OrderedDict

from sympozium.chat.outbox.records import Records
from sympozium.chat.platform import Target
from sympozium.contract.names import ConversationId, MessageId

MAX_CONVERSATIONS = 4096
"""With messages that have no end yet; of further ones the oldest is forgotten."""


class Order:
    """The accepted messages whose ends are not shown, by the sequence of their acceptance."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._open: OrderedDict[ConversationId, dict[MessageId, int]] = OrderedDict()

    def accepted(self, target: Target, sequence: int) -> None:
        """Note that a message waits for its end."""
        self._open.setdefault(target.conversation, {})[target.message_id] = sequence
        self._open.move_to_end(target.conversation)
        if len(self._open) > MAX_CONVERSATIONS:
            self._open.popitem(last=False)

    def ended(self, target: Target) -> None:
        """Note that a message's end was dealt with."""
        of_conversation = self._open.get(target.conversation, {})
        of_conversation.pop(target.message_id, None)
        if not of_conversation:
            self._open.pop(target.conversation, None)

    def may_stand(self, target: Target) -> bool:
        """Return whether a placeholder for a message would stand below all earlier answers."""
        of_conversation = self._open.get(target.conversation, {})
        own = of_conversation.get(target.message_id)
        return all(
            self._has_post(message_id)
            for message_id, sequence in of_conversation.items()
            if message_id != target.message_id and (own is None or sequence < own)
        )

    def _has_post(self, message_id: MessageId) -> bool:
        record = self._records.known(message_id)
        return record is not None and bool(record.post)
