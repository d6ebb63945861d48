"""What a run is asked: the text of one message, or of several that are answered together.

What a message stands in reply to, and the names of its files, are part of the text in
a fixed form. Every line that somebody else wrote begins with `> `, so that no text can
pass for the end of a quotation.
"""

from collections.abc import Sequence

from sympozium.contract.limits import MAX_FILES
from sympozium.contract.messages import FileRef
from sympozium.contract.run_events import Steering
from sympozium.store.ports import Message
from sympozium_router.inbox.choosing import without_call
from sympozium_router.outbox.wording import quoted

MAX_TASK_CHARS = 65536
"""Longest task. Source: `AgentRun.spec.task`."""

MAX_QUOTED_CHARS = 4000
"""Quoted text beyond that is cut off: what the person says themselves counts."""


def task_of(messages: Sequence[Message]) -> str:
    """Return what the run that answers *messages* is asked.

    Where they are of several people, each begins with its sender's name.
    """
    senders = {message.inbound.sender.user_id for message in messages}
    parts = [_part(message, is_named=len(senders) > 1) for message in messages]
    return "\n\n".join(parts)[:MAX_TASK_CHARS]


def files_of(messages: Sequence[Message]) -> list[FileRef]:
    """Return the files of all *messages*, as many as a run may have."""
    return [ref for message in messages for ref in message.inbound.files][:MAX_FILES]


def fit_together(messages: Sequence[Message]) -> bool:
    """Return whether one run can be asked all of *messages*, with all of their files."""
    senders = {message.inbound.sender.user_id for message in messages}
    chars = sum(len(_part(message, is_named=len(senders) > 1)) + 2 for message in messages)
    files = sum(len(message.inbound.files) for message in messages)
    return chars <= MAX_TASK_CHARS and files <= MAX_FILES


def steering_of(message: Message, leader: Message) -> Steering:
    """Return what is handed to the run of *leader*; a message of somebody else bears their name."""
    is_same = leader.inbound.sender.user_id == message.inbound.sender.user_id
    text = _part(message, is_named=not is_same)[:MAX_TASK_CHARS]
    return Steering(message_id=message.id, text=text, files=message.inbound.files)


def _part(message: Message, *, is_named: bool) -> str:
    inbound = message.inbound
    text = without_call(inbound.text, message.agent)
    if is_named:
        name = quoted(inbound.sender.display_name) or quoted(inbound.sender.user_id)
        text = f"{name}: {text}"
    attached = _attached(inbound.files, after=text)
    left = MAX_TASK_CHARS - len(text) - len(attached)
    return _in_reply_to(inbound.quoted, left) + text + (attached if left >= 0 else "")


def _in_reply_to(text: str, left: int) -> str:
    if not text.strip():
        return ""
    lines = text[:MAX_QUOTED_CHARS].splitlines()
    if len(text) > MAX_QUOTED_CHARS:
        lines.append("[cut here]")
    block = "In reply to:\n" + "\n".join(f"> {line}" for line in lines) + "\n\n"
    return block if len(block) <= left else ""


def _attached(files: Sequence[FileRef], *, after: str) -> str:
    if not files:
        return ""
    begin = "\n\nAttached:\n" if after.strip() else "Attached:\n"
    described = (
        f"> {quoted(ref.name) or 'file'} ({quoted(ref.media_type)}, {ref.size_bytes} bytes)"
        for ref in files
    )
    return begin + "\n".join(described)
