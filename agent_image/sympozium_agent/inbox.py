"""What people say to the agent: its task, and messages that come while it works."""

from collections.abc import Sequence
from dataclasses import dataclass

from sympozium.contract.envelope import decode
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import FileRef, Role
from sympozium.contract.names import MessageId
from sympozium.contract.run_events import RunContext, Steering
from sympozium_agent.attached import read_attached
from sympozium_agent.journal import JournalReader
from sympozium_agent.layout import IpcLayout
from sympozium_agent.provider import Said


@dataclass(frozen=True)
class Came:
    """A message that came while the agent worked."""

    message_id: MessageId
    said: Said


class Inbox:
    """Messages for one run, each once and in order."""

    def __init__(self, context: RunContext, layout: IpcLayout, *, offset: int) -> None:
        self._context = context
        self._folder = layout.incoming_files
        self._reader = JournalReader(layout.to_agent, offset=offset)
        self._waiting = list(context.steered)
        self._seen: set[MessageId] = set()

    def task(self) -> Said:
        """Return what the run is asked, with its files."""
        return self._said(self._context.task, self._context.files)

    def take(self) -> list[Came]:
        """Return what has come since the last call. It waits for nothing.

        Raises:
            JournalRefusedError: The journal is none, or none any more.
        """
        found, self._waiting = self._waiting, []
        while line := self._reader.next_line():
            try:
                found.append(decode(line.data, Steering))
            except PermanentError:
                continue  # torn when the bridge was killed; another run answers it
        return [
            Came(one.message_id, self._said(one.text, one.files))
            for one in found
            if self._is_new(one.message_id)
        ]

    def close(self) -> None:
        """Close the journal."""
        self._reader.close()

    def _is_new(self, message_id: MessageId) -> bool:
        is_new = message_id not in self._seen
        self._seen.add(message_id)
        return is_new

    def _said(self, text: str, files: Sequence[FileRef]) -> Said:
        attached = read_attached(files, self._folder)
        texts = (part for part in (text, attached.text) if part)
        return Said(Role.USER, "\n\n".join(texts), attached.images)
