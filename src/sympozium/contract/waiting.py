"""What the controller asks a router before it deletes something: who waits for it still.

The status of a run is the only place where its answer is until a router has put it
into OUTBOX, and a channel is the only one who shows what comes there. Only a router
knows what is to come; and while none is there to say so, nothing is deleted.
"""

import msgspec

from sympozium.contract.names import MessageId


class _Waiting(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    pass


class Asked(_Waiting, frozen=True, kw_only=True):
    """One message, in the namespace that the subject names."""

    channel: str
    message_id: MessageId


class WaitingRequest(_Waiting, frozen=True, kw_only=True):
    """Asks which of these messages have an end that is not in OUTBOX yet, or none at all.

    Attributes:
        channels: Of which it is asked, too, whether any message of theirs has none there.
    """

    messages: list[Asked]
    channels: list[str] = []


class WaitingAnswer(_Waiting, frozen=True, kw_only=True):
    """Those of the messages that wait. One that the store does not know waits for nothing.

    Attributes:
        waiting: Always there: an answer to some other question is none to this one.
        error: Empty where the question was answered; else nothing is known.
        open_channels: Those of the channels with a message that waits; None: a router of an
            older version, which does not say.
    """

    waiting: list[Asked]
    error: str = ""
    open_channels: list[str] | None = None
