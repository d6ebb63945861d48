"""What a router tells a channel of a message that it holds and cannot handle now.

It is nobody's record, and is said again while it is so. A channel that hears it
shows that the message is not forgotten; one that does not know it shows nothing.
"""

from datetime import timedelta

import msgspec

from sympozium.contract.names import ConversationId, MessageId

TOLD_AFTER = timedelta(seconds=5)
"""How long after it was stored a message may lie without a sign of it."""


class Queued(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A message waits because a part of the system is away.

    Attributes:
        reply_to: As it came with the message.
    """

    message_id: MessageId
    conversation: ConversationId
    reply_to: str = ""
