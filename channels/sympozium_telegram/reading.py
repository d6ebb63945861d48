"""From an update to what a person did: pure reading, without a call of anything."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sympozium.chat.commands import read_command
from sympozium.chat.gate import Heard, Hearing, Triggers, hear
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import Command, Place, Sender
from sympozium_telegram.addresses import Reference, Spot
from sympozium_telegram.entities import Me, Said, read_text
from sympozium_telegram.updates import CallbackQuery, Media, Message, Update, User

MAX_QUOTED_CHARS = 4000
PLATFORM = "telegram"


@dataclass(frozen=True)
class Wanted:
    """A file that came with a message and is still at Telegram."""

    file_id: str
    name: str
    media_type: str
    size_bytes: int


@dataclass(frozen=True)
class Speech:
    """What all that a person does has in common: who, where, when."""

    reference: Reference
    sender: Sender
    place: Place
    time: datetime


@dataclass(frozen=True)
class NewMessage:
    """A person wrote something that is, or may be, meant for the bot."""

    speech: Speech
    text: str
    addressed: bool
    mentions_others: bool = False
    command: Command | None = None
    quoted: str = ""
    files: tuple[Wanted, ...] = ()


@dataclass(frozen=True)
class Edited:
    """A person changed a message, which may have been meant for the bot."""

    speech: Speech
    text: str


@dataclass(frozen=True)
class Pressed:
    """A person pressed a button under a message of the bot."""

    speech: Speech
    query_id: str
    data: str


@dataclass(frozen=True)
class Nothing:
    """Nothing for the bot.

    Attributes:
        query_id: A button that leads nowhere, which must be let go all the same.
    """

    query_id: str = ""


Reading = NewMessage | Edited | Pressed | Nothing


def read(update: Update, me: Me, triggers: Triggers) -> Reading:
    """Return what *update* says that a person did.

    Raises:
        PermanentError: It says when, and that is no time.
    """
    if update.callback_query is not None:
        return _read_press(update.callback_query)
    if update.edited_message is not None:
        return _read_edit(update.edited_message, me)
    if update.message is not None:
        return _read_message(update.message, me, triggers)
    return Nothing()


def _read_press(query: CallbackQuery) -> Pressed | Nothing:
    message = query.message
    if message is None or not query.data:
        return Nothing(query.id)
    speech = _speech(message, query.from_user, is_ours=True)
    return Pressed(speech, query.id, query.data)


def _read_edit(message: Message, me: Me) -> Edited | Nothing:
    if message.from_user is None or not message.words:
        return Nothing()
    said = read_text(message.words, message.marks, me)
    return Edited(_speech(message, message.from_user), said.text)


def _read_message(message: Message, me: Me, triggers: Triggers) -> NewMessage | Nothing:
    sender = message.from_user
    files = _files(message)
    words = message.words or _in_words(message)
    if sender is None or message.chat.type == "channel" or not (words or files):
        return Nothing()
    is_forwarded = message.forward_origin is not None
    said = read_text(words, [] if is_forwarded else message.marks, me)
    hearing = hear(_heard(message, sender, said, me), triggers)
    if hearing is Hearing.IGNORED:
        return Nothing()
    speech = _speech(message, sender)
    if said.command and not (said.is_for_us or speech.place.is_direct):
        return Nothing()
    command = None if is_forwarded else _command(said)
    text, quoted = said.text, _quoted(message)
    if not text and not files and command is None:
        text, quoted, command = _of_a_bare_mention(quoted)
    return NewMessage(
        speech,
        text,
        addressed=hearing is Hearing.ADDRESSED,
        mentions_others=said.mentions_others,
        command=command,
        quoted=quoted,
        files=files,
    )


def _of_a_bare_mention(quoted: str) -> tuple[str, str, Command | None]:
    """The bot is only named: it is pointed at what is replied to, or asked what it can do."""
    return (quoted, "", None) if quoted else ("", "", Command(name="help"))


def _heard(message: Message, sender: User, said: Said, me: Me) -> Heard:
    replied = message.reply_to_message
    replied_user = replied.from_user if replied is not None else None
    is_reply = (
        replied is not None
        and replied.forum_topic_created is None
        and replied_user is not None
        and replied_user.id == me.id
    )
    is_direct = message.chat.type == "private"
    return Heard(
        is_own=sender.id == me.id,
        bot_id=_bot_id(message, sender),
        is_direct=is_direct,
        is_mention=said.is_mention,
        is_reply_to_us=is_reply,
        is_command=bool(said.command) and (said.names_us or is_direct),
        is_in_thread=bool(message.topic),
    )


def _bot_id(message: Message, sender: User) -> str:
    """Who speaks as a group or a channel has no user id of their own: heard like a bot."""
    if message.sender_chat is not None:
        return str(message.sender_chat.id)
    return str(sender.id) if sender.is_bot else ""


def _command(said: Said) -> Command | None:
    """Return the command of a message that is heard; `/start` is how every chat begins."""
    if not (said.command and said.is_for_us):
        return read_command(said.text, prefix="!")
    if said.command == "start":
        return Command(name="help")
    return Command(name=said.command, arguments=said.arguments)


def _speech(message: Message, sender: User, *, is_ours: bool = False) -> Speech:
    chat = message.chat
    spot = Spot(chat.id, message.topic)
    seconds = message.edit_date or message.date
    return Speech(
        Reference(spot, message.message_id, is_ours=is_ours),
        Sender(platform=PLATFORM, user_id=str(sender.id), display_name=sender.display_name),
        Place(
            chat=str(chat.id),
            thread=str(spot.topic) if spot.topic else "",
            is_direct=chat.type == "private",
        ),
        datetime.now(UTC) if is_ours or not seconds else _time_of(seconds),
    )


def _time_of(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise PermanentError("cannot read an update: its date is no time") from None


def _quoted(message: Message) -> str:
    """What the message stands in reply to, and whose words it hands on."""
    parts = []
    if message.forward_origin is not None:
        name = message.forward_origin.display_name or "somebody"
        parts.append(f"[the message was forwarded; it was written by {name}]")
    replied = message.reply_to_message
    if message.quote is not None and message.quote.text:
        parts.append(message.quote.text)
    elif replied is not None and replied.forum_topic_created is None:
        parts.append(replied.words or _in_words(replied))
    return "\n".join(part for part in parts if part)[:MAX_QUOTED_CHARS]


def _in_words(message: Message) -> str:
    """Say what a message without words is, where that can be said in words."""
    if message.sticker is not None:
        return f"[a sticker: {message.sticker.emoji or 'without an emoji'}]"
    if message.location is not None:
        return f"[a location: {message.location.latitude}, {message.location.longitude}]"
    if message.contact is not None:
        name = f"{message.contact.first_name} {message.contact.last_name}".strip()
        return f"[a contact: {name}, {message.contact.phone_number}]"
    if message.poll is not None:
        return f"[a poll: {message.poll.question}]"
    return ""


def _files(message: Message) -> tuple[Wanted, ...]:
    """Return the files of a message; of a photo its largest size."""
    files = []
    if message.photo:
        largest = max(message.photo, key=lambda size: (size.width * size.height, size.file_size))
        files.append(_wanted(largest, "photo", "image/jpeg", ".jpg"))
    # An animation comes as a document too, which is the same file.
    single = (
        (message.document or message.animation, "document", "application/octet-stream", ""),
        (message.voice, "voice", "audio/ogg", ".ogg"),
        (message.audio, "audio", "audio/mpeg", ".mp3"),
        (message.video, "video", "video/mp4", ".mp4"),
        (message.video_note, "video", "video/mp4", ".mp4"),
    )
    files += [
        _wanted(media, stem, kind, ending)
        for media, stem, kind, ending in single
        if media is not None
    ]
    return tuple(files)


def _wanted(media: Media, stem: str, media_type: str, ending: str) -> Wanted:
    name = media.file_name or f"{stem}-{media.file_unique_id or 'file'}{ending}"
    return Wanted(media.file_id, name, media.mime_type or media_type, media.file_size)
