"""Updates as Telegram sends them, as far as this channel reads them; anything else is skipped.

Source: https://core.telegram.org/bots/api#update
"""

import re
from typing import Any

import msgspec

from sympozium.contract.errors import PermanentError

ALLOWED_UPDATES = ("message", "edited_message", "callback_query")
"""What is asked for; the rest is not sent. Deletions are not told to bots at all."""


_FIRST_NUMBER = re.compile(
    rb'\s*\{\s*"ok"\s*:\s*true\s*,\s*"result"\s*:\s*\[\s*\{\s*"update_id"\s*:\s*([0-9]{1,18})\b'
)


class User(msgspec.Struct, frozen=True):
    """A person or a bot."""

    id: int
    is_bot: bool = False
    first_name: str = ""
    last_name: str = ""
    username: str = ""

    @property
    def display_name(self) -> str:
        """The name as it is shown; it identifies nobody."""
        return f"{self.first_name} {self.last_name}".strip() or self.username


class Chat(msgspec.Struct, frozen=True):
    """A private chat, a group, a supergroup or a broadcast channel."""

    id: int
    type: str
    title: str = ""
    first_name: str = ""
    username: str = ""


class Entity(msgspec.Struct, frozen=True):
    """A part of a text. Offset and length are UTF-16 units."""

    type: str
    offset: int
    length: int
    user: User | None = None


class Media(msgspec.Struct, frozen=True):
    """A file at Telegram: a document, a voice message, one size of a photo."""

    file_id: str
    file_unique_id: str = ""
    file_size: int = 0
    file_name: str = ""
    mime_type: str = ""
    width: int = 0
    height: int = 0


class Sticker(msgspec.Struct, frozen=True):
    """A sticker; only the emoji that it stands for is of use."""

    emoji: str = ""


class Origin(msgspec.Struct, frozen=True):
    """Where a forwarded message comes from."""

    type: str = ""
    sender_user: User | None = None
    sender_user_name: str = ""
    sender_chat: Chat | None = None
    chat: Chat | None = None

    @property
    def display_name(self) -> str:
        """The name of who wrote it, as far as it is known."""
        if self.sender_user is not None:
            return self.sender_user.display_name
        chat = self.sender_chat or self.chat
        return self.sender_user_name or (chat.title if chat else "")


class Quote(msgspec.Struct, frozen=True):
    """The part of a message that an answer to it quotes."""

    text: str = ""


class Location(msgspec.Struct, frozen=True):
    """A point on the map."""

    latitude: float
    longitude: float


class Contact(msgspec.Struct, frozen=True):
    """Somebody's name and number."""

    phone_number: str = ""
    first_name: str = ""
    last_name: str = ""


class Poll(msgspec.Struct, frozen=True):
    """A poll; its question is of use."""

    question: str = ""


class Message(msgspec.Struct, frozen=True, rename={"from_user": "from"}):
    """A message. Of service messages (somebody joined, a topic was made) little is read."""

    message_id: int
    chat: Chat
    date: int = 0
    edit_date: int = 0
    from_user: User | None = None
    sender_chat: Chat | None = None
    message_thread_id: int = 0
    is_topic_message: bool = False
    text: str = ""
    caption: str = ""
    entities: list[Entity] = []
    caption_entities: list[Entity] = []
    reply_to_message: "Message | None" = None
    quote: Quote | None = None
    forward_origin: Origin | None = None
    forum_topic_created: Any = None
    migrate_to_chat_id: int = 0
    photo: list[Media] = []
    document: Media | None = None
    voice: Media | None = None
    audio: Media | None = None
    video: Media | None = None
    video_note: Media | None = None
    animation: Media | None = None
    sticker: Sticker | None = None
    location: Location | None = None
    contact: Contact | None = None
    poll: Poll | None = None

    @property
    def words(self) -> str:
        """What is written in it: its text, or the caption of its file."""
        return self.text or self.caption

    @property
    def marks(self) -> list[Entity]:
        """The entities of `words`."""
        return self.entities if self.text else self.caption_entities

    @property
    def topic(self) -> int:
        """The forum topic it is in; 0 outside. A thread id alone only says what it replies to."""
        return self.message_thread_id if self.is_topic_message else 0


class CallbackQuery(msgspec.Struct, frozen=True, rename={"from_user": "from"}):
    """Somebody pressed a button under a message of the bot."""

    id: str
    from_user: User
    data: str = ""
    message: Message | None = None


class Update(msgspec.Struct, frozen=True):
    """One event. At most one of the fields beside the id is there."""

    update_id: int
    message: Message | None = None
    edited_message: Message | None = None
    callback_query: CallbackQuery | None = None


def read_update(raw: object) -> Update:
    """Read one update from JSON objects.

    Raises:
        PermanentError: It is not an update; the text names the field, and no content.
    """
    try:
        return msgspec.convert(_storable(raw), Update)
    except (msgspec.ValidationError, RecursionError) as error:
        raise PermanentError(f"cannot read an update: {error}") from None


def _storable(value: object) -> object:
    """Return JSON whose texts can be stored: half of a surrogate pair cannot be written."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {key: _storable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return value


def update_number(raw: object) -> int | None:
    """Return an update's id, by which it is confirmed, even where nothing else can be read."""
    number = raw.get("update_id") if isinstance(raw, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def first_number(answer: bytes) -> int | None:
    """Return the id of the first update in the beginning of an *answer* to `getUpdates`.

    None where the server writes it in another order than the Bot API does.
    """
    found = _FIRST_NUMBER.match(answer)
    return int(found[1]) if found else None


def chat_number(raw: object) -> int:
    """Return the chat that an update is about, as far as that can be read; else 0."""
    if not isinstance(raw, dict):
        return 0
    found = raw.get("message") or raw.get("edited_message") or raw.get("callback_query")
    if isinstance(found, dict) and "chat" not in found:
        found = found.get("message")
    chat = found.get("chat") if isinstance(found, dict) else None
    number = chat.get("id") if isinstance(chat, dict) else None
    return number if isinstance(number, int) else 0
