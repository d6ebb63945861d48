"""What Slack sends, as far as it is read. Fields that are not named here are left unread."""

from typing import Any, TypeVar

import msgspec

from sympozium.contract.errors import PermanentError

Text = str | None
"""A field that Slack leaves out, or sends as null, where it has nothing to say."""


class UnreadableError(PermanentError):
    """No event that this channel knows has this form."""


class _Sent(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Envelope(_Sent, frozen=True, kw_only=True):
    """One frame of Socket Mode.

    Attributes:
        reason: Of a `disconnect`: `warning`, `refresh_requested` or `link_disabled`.
    """

    type: str
    envelope_id: Text = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    reason: Text = ""
    debug_info: dict[str, Any] = {}


class Authorization(_Sent, frozen=True, kw_only=True):
    """An installation of the app that may see an event."""

    team_id: Text = ""
    user_id: Text = ""


class Callback(_Sent, frozen=True, kw_only=True):
    """What is around an event. `url_verification` has a challenge instead."""

    type: str
    event: msgspec.Raw = msgspec.Raw(b"{}")
    team_id: Text = ""
    authorizations: list[Authorization] | None = None
    challenge: Text = ""


class Typed(_Sent, frozen=True, kw_only=True):
    """What kind of event one is."""

    type: str
    subtype: Text = ""


class Edited(_Sent, frozen=True, kw_only=True):
    """That a person changed a message, and when."""

    ts: str
    user: Text = ""


class Profile(_Sent, frozen=True, kw_only=True):
    """How a person is called."""

    display_name: Text = ""
    real_name: Text = ""


class File(_Sent, frozen=True, kw_only=True):
    """A file in a message.

    Attributes:
        mode: `hosted` and `snippet` are with Slack, `external` elsewhere, `tombstone` is gone.
    """

    id: str
    name: Text = ""
    title: Text = ""
    mimetype: Text = ""
    size: int | None = 0
    mode: Text = ""
    file_access: Text = ""
    url_private_download: Text = ""
    url_private: Text = ""


class Post(_Sent, frozen=True, kw_only=True):
    """A message, in an event or in a channel's history.

    Attributes:
        team: Workspace of its author; in shared channels another than the bot's.
        attachments: As sent; their forms are many.
    """

    ts: str
    type: Text = "message"
    subtype: Text = ""
    user: Text = ""
    bot_id: Text = ""
    text: Text = ""
    thread_ts: Text = ""
    latest_reply: Text = ""
    team: Text = ""
    user_team: Text = ""
    user_profile: Profile | None = None
    edited: Edited | None = None
    files: list[File] | None = None
    attachments: list[Any] | None = None
    blocks: list[Any] | None = None


class MessageEvent(_Sent, frozen=True, kw_only=True):
    """A `message` or `app_mention` event that tells of a new message, of any kind of author."""

    channel: str
    channel_type: Text = ""


class Changed(_Sent, frozen=True, kw_only=True):
    """A `message` event with the subtype `message_changed`."""

    channel: str
    message: Post
    previous_message: Post | None = None


class Deleted(_Sent, frozen=True, kw_only=True):
    """A `message` event with the subtype `message_deleted`."""

    channel: str
    deleted_ts: str
    previous_message: Post | None = None


class AssistantContext(_Sent, frozen=True, kw_only=True):
    """What a person has open beside the assistant's view."""

    channel_id: Text = ""


class AssistantThread(_Sent, frozen=True, kw_only=True):
    """A thread of the assistant's view."""

    channel_id: str
    thread_ts: str
    user_id: Text = ""
    context: AssistantContext | None = None


class AssistantEvent(_Sent, frozen=True, kw_only=True):
    """An `assistant_thread_started` or `assistant_thread_context_changed` event."""

    assistant_thread: AssistantThread


Read = TypeVar("Read")


def read(data: bytes | msgspec.Raw, type_: type[Read]) -> Read:
    """Return *data* as one of the types of this module.

    Raises:
        UnreadableError: It has another form.
    """
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(
            f"cannot read a {type_.__name__} of Slack's: {_cause(error)}"
        ) from None


def _cause(error: Exception) -> str:
    """Return what is wrong, without what was sent."""
    return str(error) if isinstance(error, msgspec.ValidationError) else type(error).__name__
