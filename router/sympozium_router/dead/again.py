"""Putting a message through again that was not answered: by its sender, or by an operator.

What is tried again is a message of its own, with the text, the files and the place of
the first and an id made of the first's. So the run it gets is another one, the end that
was shown stays what it is, and the new end follows it. The id is the same however often
the same is asked for: pressing a button twice gives one run.
"""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from sympozium.chat.commands import RETRY
from sympozium.contract.messages import Choice, Command, InboundMessage
from sympozium.contract.names import MessageId, short_hash
from sympozium.store.ports import End, Message, SessionStore
from sympozium_router.outbox import wording

LABEL = "Retry"
LOOK_BACK = 200
"""Messages of a conversation among which the one that is meant is looked for."""

MAX_TRIES = 50

_SUFFIX = "~1"


@dataclass(frozen=True)
class Again:
    """What is to be tried again, or why nothing is.

    Attributes:
        message: As it is to be stored, or is stored already by the same request.
        refusal: A sentence for a person; empty where there is a message.
        first: What was asked at first.
    """

    message: Message | None = None
    refusal: str = ""
    first: Message | None = None


def retry_choice(message: Message) -> Choice:
    """Return the button with which the sender of *message* has it tried again."""
    command = Command(name=RETRY, arguments=short_hash(message.id))
    return Choice(label=LABEL, command=command)


class Retries:
    """Finds what is meant by a request to try again, and what it is stored as."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def meant_by(self, request: Message) -> Message | str:
        """Return which message the command *request* is about, or why its sender is refused.

        Without a reference it is about what failed last; else that may have an answer too,
        which was perhaps not shown.

        Raises:
            StoreUnavailableError: Try again.
        """
        command = request.inbound.command
        reference = command.arguments.strip() if command is not None else ""
        known = await self._store.transcript(
            request.conversation, limit=LOOK_BACK, before=request.sequence
        )
        ended = [one for one in known if _is_told(one) and not _is_request(one)]
        meant = [
            one
            for one in ended
            if (reference in _references(one) if reference else _has_failed(one))
        ]
        if not meant:
            return wording.nothing_to_retry(reference)
        if not _is_same_sender(meant[-1].inbound, request.inbound):
            return wording.NOT_YOURS_TO_RETRY
        return meant[-1]

    async def next_try(
        self, first: Message, *, sequence: int, now: datetime, asked_at: int = 0
    ) -> Again:
        """Return the next try of *first*, which takes its turn at *sequence*.

        What has no row yet is tried as itself.

        Args:
            first: What failed, or was answered; then there is none.
            sequence: An INBOX sequence.
            now: When it is asked for.
            asked_at: Sequence of the request, which may come again; 0: it has none.

        Raises:
            StoreUnavailableError: Try again.
        """
        key = first.key
        for _ in range(MAX_TRIES):
            known = await self._store.known(key)
            if known is None:
                fresh = _tried_again(first, key.message_id, sequence, now)
                return Again(fresh, first=first)
            if known.sequence == asked_at and known.id != first.id:
                return Again(known, first=first)  # this very request made it
            if known.end is None or known.end.error is None:
                return Again(refusal=wording.ALREADY_RETRIED)
            key = key._replace(message_id=MessageId(f"{key.message_id}{_SUFFIX}"))
        return Again(refusal=wording.RETRIED_TOO_OFTEN)


def refused(again: Again, *, now: datetime) -> End:
    """Return the end of a request that nothing comes of, or that its message answers."""
    if again.message is not None:
        return End(time=now, is_dropped=True)
    return End(time=now, text=again.refusal, is_private=True, is_notice=True)


def _tried_again(first: Message, id_: MessageId, sequence: int, now: datetime) -> Message:
    inbound = msgspec.structs.replace(first.inbound, message_id=id_, addressed=True)
    return Message(first.namespace, first.channel, inbound, sequence, recorded_at=now)


def _has_failed(message: Message) -> bool:
    return message.end is not None and message.end.error is not None


def _is_told(message: Message) -> bool:
    return message.end is not None and not message.end.is_dropped


def _is_request(message: Message) -> bool:
    """Return whether *message* itself only asks to try another again."""
    command = message.inbound.command
    return command is not None and command.name == RETRY


def _references(message: Message) -> set[str]:
    return {message.run_name, short_hash(message.id)} - {""}


def _is_same_sender(one: InboundMessage, other: InboundMessage) -> bool:
    return (one.sender.user_id, one.sender.workspace) == (
        other.sender.user_id,
        other.sender.workspace,
    )
