"""From a POST to INBOX: a message is accepted when it is on the bus' disk, and not before."""

import asyncio
import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from sympozium.bus.ports import Bus, BusDeniedError, BusFullError, BusUnavailableError, Receipt
from sympozium.chat.commands import read_command
from sympozium.contract.envelope import wrap
from sympozium.contract.limits import MAX_TEXT_BYTES
from sympozium.contract.messages import InboundKind, InboundMessage, Place, Sender, inbound_id
from sympozium.contract.names import (
    ConversationId,
    MessageId,
    is_conversation_id,
    web_message_id,
)
from sympozium.contract.subjects import inbox
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium_web import events
from sympozium_web.accepted import Accepted
from sympozium_web.audience import Audience
from sympozium_web.health import Health
from sympozium_web.refusals import (
    BAD_CONVERSATION,
    BAD_ID,
    BAD_JSON,
    BAD_TEXT,
    BUS_UNAVAILABLE,
    CHANNEL_NOT_ADMITTED,
    EMPTY_TEXT,
    INBOX_FULL,
    NO_TEXT,
    NOT_JSON,
    TEXT_TOO_LONG,
    TOO_SLOW,
    UNKNOWN_FIELD,
    RequestRefusedError,
)
from sympozium_web.strict_json import NotOneObjectError, read_object

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 6 * MAX_TEXT_BYTES + 4096
"""The longest text with each of its bytes written as a JSON escape of six, and room around it."""

BODY_TIMEOUT_S = 10.0

OWNER = Sender(platform="web", user_id="owner", display_name="Web chat")
"""Whoever may reach the page: the machine's user, or the holder of the token.

Nothing in a request says who one is, so nothing in it can say something else.
"""

COMMAND_PREFIXES = ("!", "/")
"""A person who comes from another chat writes a command as it is written there."""


@dataclass(frozen=True)
class Posted:
    """The body of a POST."""

    text: str
    client_id: str


class Inbound:
    """Takes messages in for one channel."""

    def __init__(
        self,
        bus: Bus,
        namespace: str,
        channel: str,
        audience: Audience,
        health: Health,
        *,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        self.accepted = Accepted()
        self._bus = bus
        self._namespace = namespace
        self._channel = channel
        self._audience = audience
        self._health = health
        self._body_timeout_s = body_timeout_s

    async def post(self, request: web.Request) -> web.Response:
        """Answer 202 with the message's id once the message is durable."""
        conversation = conversation_of(request)
        posted = read_posted(await read_body(request, timeout_s=self._body_timeout_s))
        message_id = web_message_id(self._namespace, self._channel, conversation, posted.client_id)
        message = message_of(posted, conversation, message_id, time=datetime.now(UTC))
        receipt = await self._store(message)
        if not receipt.duplicate:
            self.accepted.note(message, receipt.sequence)
            stored = events.stored(message.message_id, message.text, message.time)
            self._audience.show(conversation, stored)
        return web.json_response({"message_id": message.message_id}, status=202)

    async def _store(self, message: InboundMessage) -> Receipt:
        """Publish *message*; the same id again stores nothing and is the same success."""
        if not self._health.is_connected:
            # Not handed to the client's buffer: it would be sent when we have said that it was not.
            raise RequestRefusedError(BUS_UNAVAILABLE)
        data = wrap(message, id=message.message_id, time=message.time)
        reach(Point.WEB_BEFORE_STORE)
        try:
            receipt = await self._bus.publish(
                inbox(self._namespace, self._channel),
                data,
                message_id=inbound_id(self._namespace, self._channel, message.message_id),
            )
        except BusUnavailableError as error:
            self._health.publish_failed()
            raise RequestRefusedError(BUS_UNAVAILABLE) from error
        except BusFullError as error:
            self._health.publish_failed()
            raise RequestRefusedError(INBOX_FULL) from error
        except BusDeniedError as error:
            self._health.publish_failed()
            raise RequestRefusedError(CHANNEL_NOT_ADMITTED) from error
        reach(Point.WEB_AFTER_STORE)
        self._health.publish_succeeded()
        log.info(
            "message stored",
            extra={
                "action": "store",
                "sequence": receipt.sequence,
                "duplicate": receipt.duplicate,
            },
        )
        return receipt


def message_of(
    posted: Posted, conversation: ConversationId, message_id: MessageId, *, time: datetime
) -> InboundMessage:
    """Return what was posted as the message that it is: for an agent, or a command.

    Only a known command is one: an answer to "what is in /etc?" may begin with a slash.
    """
    commands = (read_command(posted.text, prefix=prefix) for prefix in COMMAND_PREFIXES)
    command = next((found for found in commands if found is not None), None)
    return InboundMessage(
        message_id=message_id,
        conversation=conversation,
        sender=OWNER,
        text=posted.text,
        time=time,
        kind=InboundKind.MESSAGE if command is None else InboundKind.COMMAND,
        place=Place(chat=conversation, is_direct=True),
        command=command,
    )


def conversation_of(request: web.Request) -> ConversationId:
    """Return the conversation that a request's path names.

    Raises:
        RequestRefusedError: It is not a name of a conversation.
    """
    name = request.match_info["conversation"]
    if not is_conversation_id(name):
        raise RequestRefusedError(BAD_CONVERSATION)
    return ConversationId(name)


async def read_body(request: web.Request, *, timeout_s: float) -> bytes:
    """Return the body of a request that says it is JSON, up to `MAX_BODY_BYTES`.

    Raises:
        RequestRefusedError: It is something else, too long, or too slow in coming.
    """
    is_plain = request.headers.get("Content-Encoding", "identity").lower() == "identity"
    if request.content_type != "application/json" or not is_plain or not _is_utf8(request):
        raise RequestRefusedError(NOT_JSON)
    try:
        async with asyncio.timeout(timeout_s):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_long() from None
    except TimeoutError:
        raise RequestRefusedError(TOO_SLOW) from None


def read_posted(body: bytes) -> Posted:
    """Return what a POST says.

    Raises:
        RequestRefusedError: It is not one JSON object with a text, and perhaps an id.
    """
    try:
        fields = read_object(body)
    except NotOneObjectError as error:
        said = f"The message could not be read: {error}."
        raise RequestRefusedError(BAD_JSON.saying(message=said)) from None
    if fields.keys() - {"text", "id"}:
        raise RequestRefusedError(UNKNOWN_FIELD)
    return Posted(_checked_text(fields.get("text")), _checked_id(fields.get("id")))


def _checked_text(text: Any) -> str:
    if not isinstance(text, str):
        raise RequestRefusedError(NO_TEXT)
    if not text.strip():
        raise RequestRefusedError(EMPTY_TEXT)
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise _too_long()
    if "\0" in text:
        raise RequestRefusedError(BAD_TEXT)
    return text


def _checked_id(client_id: Any) -> str:
    if client_id is None:
        return uuid.uuid4().hex
    if not isinstance(client_id, str) or not is_conversation_id(client_id):
        raise RequestRefusedError(BAD_ID)
    return client_id


def _is_utf8(request: web.Request) -> bool:
    return (request.charset or "utf-8").lower() in {"utf-8", "utf8"}


def _too_long() -> RequestRefusedError:
    said = f"The message is longer than {MAX_TEXT_BYTES // 1024} KiB."
    return RequestRefusedError(TEXT_TOO_LONG.saying(message=said))
