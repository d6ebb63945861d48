"""From an update to INBOX: whoever brought it is answered after this has returned, not before."""

import json
import logging
from dataclasses import dataclass

import msgspec

from sympozium.chat.gate import Triggers
from sympozium.chat.holding import hold, seen_to_wait, stored
from sympozium.chat.intake import Intake, fitted
from sympozium.chat.outbox.reactions import Marks
from sympozium.contract.errors import PermanentError, SympoziumError
from sympozium.contract.messages import InboundKind, InboundMessage
from sympozium.contract.names import ConversationId, MessageId
from sympozium_telegram.addresses import conversation_id, message_id, written_reference
from sympozium_telegram.bot_api import BotApi
from sympozium_telegram.buttons import Buttons
from sympozium_telegram.entities import Me
from sympozium_telegram.originals import Originals
from sympozium_telegram.reading import (
    Edited,
    NewMessage,
    Pressed,
    Reading,
    Speech,
    read,
)
from sympozium_telegram.taking_files import TakingFiles
from sympozium_telegram.updates import Update, read_update

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Stores:
    """Where what people did goes, and what is known of it."""

    intake: Intake
    marks: Marks
    originals: Originals
    buttons: Buttons
    files: TakingFiles


class Inbound:
    """Takes updates in, one at a time, for both transports."""

    def __init__(self, api: BotApi, stores: Stores, triggers: Triggers) -> None:
        self._api = api
        self._stores = stores
        self._triggers = triggers

    async def take(self, raw: object, me: Me) -> None:
        """Store what one update says, or set it aside where nobody can read it.

        Raises:
            SympoziumError: It is not stored; it must not be confirmed, and is to come again.
        """
        try:
            update = read_update(raw)
            reading = read(update, me, self._triggers)
        except PermanentError as error:
            await self.set_aside(event_of(raw), str(error))
            return
        try:
            await self._store(update, reading, me)
        except (SympoziumError, TimeoutError):
            raise
        except Exception as error:  # a bug in taking one must not stop all that come after it
            log.exception("update not understood", extra={"action": "discard"})
            await self.set_aside(event_of(raw), f"cannot take an update: {type(error).__name__}")

    def hold(self, raw: object, me: Me) -> None:
        """Let it be seen of an update that it waits behind another one that is not stored."""
        try:
            update = read_update(raw)
            reading = read(update, me, self._triggers)
        except PermanentError:
            return  # it is set aside when its turn comes
        if isinstance(reading, NewMessage):
            hold(self._stores.marks, _begun(message_id(me.id, update.update_id), reading))

    async def finish(self) -> None:
        """Note what was taken, before it is confirmed: an edit of it may come after a crash."""
        await self._stores.originals.write()

    async def set_aside(self, event: bytes, reason: str) -> None:
        """Keep what nobody can read for a person to look at; raises as `Intake.set_aside`."""
        await self._stores.intake.set_aside(event, reason=reason)

    async def _store(self, update: Update, reading: Reading, me: Me) -> None:
        id_ = message_id(me.id, update.update_id)
        if isinstance(reading, NewMessage):
            await self._store_new(id_, reading)
        elif isinstance(reading, Edited):
            await self._store_edit(id_, reading)
        elif isinstance(reading, Pressed):
            await self._store_press(id_, reading)
        elif reading.query_id:
            await self._let_go(reading.query_id)

    async def _store_new(self, id_: MessageId, new: NewMessage) -> None:
        message = _begun(id_, new)
        is_command = new.command is not None
        with seen_to_wait(self._stores.marks, message):
            refs, notes = await self._stores.files.take(new.files)
            message = msgspec.structs.replace(
                message,
                text="" if is_command else fitted(new.text or "\n".join(notes)),
                quoted="\n".join([part for part in (new.quoted, *notes) if part]),
                files=refs,
            )
            await self._stores.intake.store(message)
        if not is_command:
            self._stores.originals.remember(new.speech.reference, id_)
        stored(self._stores.marks, message)

    async def _store_edit(self, id_: MessageId, edit: Edited) -> None:
        original = await self._stores.originals.find(edit.speech.reference)
        if original is None:
            return
        message = message_of(id_, edit.speech)
        await self._stores.intake.store(
            msgspec.structs.replace(
                message, kind=InboundKind.EDIT, text=fitted(edit.text), target=original
            )
        )

    async def _store_press(self, id_: MessageId, press: Pressed) -> None:
        command = await self._stores.buttons.command(press.data)
        if command is not None:
            message = message_of(id_, press.speech)
            await self._stores.intake.store(
                msgspec.structs.replace(message, kind=InboundKind.COMMAND, command=command)
            )
        await self._let_go(press.query_id)

    async def _let_go(self, query_id: str) -> None:
        """Have a pressed button stop turning. It does so by itself when this is too late."""
        try:
            await self._api.call(
                "answerCallbackQuery", {"callback_query_id": query_id}, timeout_s=ANSWER_TIMEOUT_S
            )
        except SympoziumError as error:
            log.debug("button not let go", extra={"action": "drop", "cause": str(error)})


def event_of(raw: object) -> bytes:
    """Return an update as it is kept for a person to look at, as far as it can be written."""
    try:
        return json.dumps(raw).encode()
    except RecursionError:
        return b"(nested too deeply to be written)"


def message_of(id_: MessageId, speech: Speech) -> InboundMessage:
    """Return a message with all but what was said."""
    return InboundMessage(
        message_id=id_,
        conversation=ConversationId(conversation_id(speech.reference.spot)),
        sender=speech.sender,
        place=speech.place,
        time=speech.time,
        text="",
        reply_to=written_reference(speech.reference),
    )


def _begun(id_: MessageId, new: NewMessage) -> InboundMessage:
    """Return a new message as far as it is known before its files are."""
    return msgspec.structs.replace(
        message_of(id_, new.speech),
        kind=InboundKind.MESSAGE if new.command is None else InboundKind.COMMAND,
        addressed=new.addressed,
        mentions_others=new.mentions_others,
        command=new.command,
    )
