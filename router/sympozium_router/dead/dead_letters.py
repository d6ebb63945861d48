"""What operators do with dead letters: look at them, put them through again, drop them."""

import logging
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import NoConsumerError, Stored
from sympozium.contract.dead_letters import DeadLetter, read_headers
from sympozium.contract.envelope import decode, encode, open_envelope, unwrap
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import OutboundMessage, UnreadableEvent
from sympozium.contract.names import is_subject_token, reference_of, short_hash
from sympozium.contract.operate import (
    DEAD_LETTERS,
    Action,
    DeadAnswer,
    DeadEntry,
    DeadRequest,
)
from sympozium.contract.subjects import (
    DEAD,
    INBOX,
    OUTBOX,
    ROUTER_GROUP,
    inbox,
    inbox_consumer,
)
from sympozium.store.ports import Conversation, Message
from sympozium_router.clock import Clock
from sympozium_router.dead.death_toll import DeathToll
from sympozium_router.dead.unshown import send_again
from sympozium_router.inbox.letters import read_letter
from sympozium_router.inbox.reception import Reception
from sympozium_router.outbox import wording

log = logging.getLogger(__name__)

PAGE = 100
MAX_SHOWN_BYTES = 64 * 1024

_SECRET = re.compile(
    r'("[^"]*(?:token|secret|password|authorization|api_?key|response_url)[^"]*"\s*:\s*)"[^"]*"',
    re.IGNORECASE,
)


class DeadLetters:
    """Does what operators ask for with `contract.operate.DeadRequest`."""

    def __init__(
        self,
        bus: NatsBus,
        reception: Reception,
        toll: DeathToll,
        settled: Callable[[Conversation], None],
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._reception = reception
        self._toll = toll
        self._settled = settled
        self._clock = clock

    def responding(self) -> AbstractAsyncContextManager[None]:
        """Answer while the block lasts; of several routers one answers."""
        return self._bus.respond(DEAD_LETTERS, self.answer, group=ROUTER_GROUP)

    async def answer(self, _subject: str, data: bytes) -> bytes:
        """Return an encoded `DeadAnswer`."""
        try:
            return encode(await self._do(decode(data, DeadRequest)))
        except PermanentError as error:
            return encode(DeadAnswer(error=str(error)))
        except TransientError as error:
            log.warning("dead letters not read", extra={"action": "retry", "cause": str(error)})
            return encode(DeadAnswer(error="a part of the system is away now", retry=True))

    async def _do(self, request: DeadRequest) -> DeadAnswer:
        if request.action is Action.LIST:
            return await self._list(request)
        stored = await self._bus.at(DEAD, request.id) if request.id > 0 else None
        if stored is None:
            raise PermanentError(
                f"cannot {request.action.value} dead letter {request.id}: there is none; "
                "see `sympozium dead list`"
            )
        if request.action is Action.SHOW:
            return DeadAnswer(letters=[_entry(stored)], text=_shown(stored.data))
        done = "It is dropped for good."
        if request.action is Action.RETRY:
            done = await self._put_through(stored)
        await self._bus.unbury(stored.sequence)
        self._toll.look_now()
        log.info("dead letter settled", extra={"action": request.action.value, "id": request.id})
        return DeadAnswer(letters=[_entry(stored)], done=done)

    async def _list(self, request: DeadRequest) -> DeadAnswer:
        tokens = (request.stream, request.namespace, request.name)
        for token in tokens:
            if token and not is_subject_token(token):
                raise PermanentError(f"cannot list the dead letters of {token!r}: it is no name")
        subject = ".".join(("dead", *(token or "*" for token in tokens)))
        found: list[DeadEntry] = []
        since = max(1, request.since)
        while stored := await self._bus.next(DEAD, subject, since=since):
            if len(found) == PAGE:
                return DeadAnswer(letters=found, more_since=stored.sequence)
            found.append(_entry(stored))
            since = stored.sequence + 1
        return DeadAnswer(letters=found)

    async def _put_through(self, stored: Stored) -> str:
        letter = read_headers(stored.subject, stored.headers)
        if letter.size_bytes > len(stored.data):
            raise PermanentError(
                f"cannot retry dead letter {stored.sequence}: it was too long to be kept whole"
            )
        if letter.stream == INBOX:
            return await self._ask_again(stored, letter)
        if letter.stream == OUTBOX:
            await send_again(self._bus, stored)
            return "It is sent to its channel again."
        raise PermanentError(
            f"cannot retry dead letter {stored.sequence}: what a run said is its own to say; have "
            "the message tried again whose run it was, and drop this"
        )

    async def _ask_again(self, stored: Stored, letter: DeadLetter) -> str:
        """Have a person's message worked on again. Doing it again has no effect."""
        if not letter.sequence:
            raise PermanentError(
                f"cannot retry dead letter {stored.sequence}: it is an event of the platform of "
                "which no message could be made; have it written anew, and drop this"
            )
        # Whose it is says the subject, on which nobody else may bury; not what it says of itself.
        read = read_letter(inbox(*_owner(stored)), letter.sequence, stored.data)
        if read.inbound is None or read.problem:
            problem = read.problem or "nothing of it can be answered"
            raise PermanentError(f"cannot retry dead letter {stored.sequence}: {problem}")
        settled = await self._settled_up_to(read.namespace)
        first = Message(
            read.namespace, read.channel, read.inbound, letter.sequence, recorded_at=self._clock()
        )
        again = await self._reception.put_through(first, sequence=max(1, settled))
        if again.message is not None:
            self._settled(again.message.conversation)
            return "It is being worked on again; the answer comes where it was asked."
        if again.refusal == wording.ALREADY_RETRIED:
            return "It was tried again already, or answered meanwhile."
        raise PermanentError(f"cannot retry dead letter {stored.sequence}: {again.refusal}")

    async def _settled_up_to(self, namespace: str) -> int:
        """Return up to where all messages of *namespace* are settled; 0 where nobody reads any."""
        try:
            return (await self._bus.state(inbox_consumer(namespace))).acknowledged
        except NoConsumerError:
            return 0


def _owner(stored: Stored) -> tuple[str, str]:
    """Return namespace, and channel or run, under which a dead letter is kept."""
    _, _, namespace, name = stored.subject.split(".", 3)
    return namespace, name


def _entry(stored: Stored) -> DeadEntry:
    letter = _explained(read_headers(stored.subject, stored.headers), stored.data)
    namespace, name = _owner(stored)
    return DeadEntry(
        id=stored.sequence,
        stream=letter.stream,
        namespace=namespace,
        name=name,
        sequence=letter.sequence,
        reason=letter.reason,
        attempts=letter.attempts,
        time=letter.time,
        size_bytes=letter.size_bytes or len(stored.data),
        reference=_reference(stored, letter),
    )


def _reference(stored: Stored, letter: DeadLetter) -> str:
    """Return by what people call a dead letter; empty where nobody was told of it."""
    if letter.stream == INBOX and letter.sequence:
        inbound = read_letter(inbox(*_owner(stored)), letter.sequence, stored.data).inbound
        return short_hash(inbound.message_id) if inbound is not None else ""
    if letter.stream != OUTBOX:
        return ""
    try:
        shown = unwrap(stored.data, OutboundMessage)
    except PermanentError:
        return ""
    return reference_of(shown.run_name, shown.again_for or shown.message_id)


def _explained(letter: DeadLetter, data: bytes) -> DeadLetter:
    """Return *letter* with the reason that an older channel wrote into the message itself."""
    if letter.reason:
        return letter
    try:
        envelope = open_envelope(data)
        reason = unwrap(data, UnreadableEvent).reason
    except PermanentError:
        return letter
    return replace(letter, reason=reason, time=envelope.time)


def _shown(data: bytes) -> str:
    text = data[:MAX_SHOWN_BYTES].decode(errors="replace")
    text = _SECRET.sub(r'\1"(not shown)"', text)
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
