"""Files that the agent made, from the volume to the bus, before the answer that names them."""

import logging
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sympozium.bus.ports import Bus
from sympozium.contract.limits import FILE_PART_BYTES, MAX_FILE_BYTES, MAX_FILES
from sympozium.contract.messages import FileRef
from sympozium.contract.names import short_hash
from sympozium.contract.subjects import file_part
from sympozium_agent.file_names import shown_name
from sympozium_agent.run_bus import RunIdentity, until_it_works
from sympozium_agent.volume import FileRefusedError, open_file, open_folder

log = logging.getLogger(__name__)

MAX_MEDIA_TYPE_CHARS = 100


class Outgoing:
    """Puts the files of a run's answer on the bus."""

    def __init__(self, bus: Bus, identity: RunIdentity, folder: Path) -> None:
        self._bus = bus
        self._identity = identity
        self._folder = folder

    async def send(self, named: Sequence[FileRef]) -> list[FileRef]:
        """Return references to the files that the agent *named*, all of whose parts are stored.

        Of what the agent says of a file, its id is the name in the folder; owner,
        size and parts are what they turn out to be. A file that is none is left out.
        Sending the same files again stores the same parts.
        """
        if not named:
            return []
        sent: list[FileRef] = []
        try:
            with open_folder(self._folder) as folder:
                for ref in named[:MAX_FILES]:
                    await self._send_or_leave_out(folder, ref, sent)
        except FileRefusedError as error:
            log.warning("files are left out", extra={"action": "refuse", "cause": str(error)})
        return sent

    async def _send_or_leave_out(self, folder: int, ref: FileRef, sent: list[FileRef]) -> None:
        try:
            with open_file(folder, ref.id, max_bytes=MAX_FILE_BYTES) as file:
                data = file.read(MAX_FILE_BYTES)
        except FileRefusedError as error:
            log.warning("file is left out", extra={"action": "refuse", "cause": str(error)})
        else:
            sent.append(await self._send(ref, data))

    async def _send(self, ref: FileRef, data: bytes) -> FileRef:
        identity = self._identity
        # Of two pods of one run each has its own files, whatever they call them.
        file_id = short_hash(identity.pod_uid, ref.id)
        parts = -(-len(data) // FILE_PART_BYTES)
        for number in range(parts):
            subject = file_part(identity.namespace, identity.run_uid, file_id, number)
            part = data[number * FILE_PART_BYTES : (number + 1) * FILE_PART_BYTES]
            await self._publish(subject, part, identity.message_id(f"file/{file_id}/{number}"))
        return msgspec.structs.replace(
            ref,
            id=file_id,
            owner=identity.run_uid,
            name=shown_name(ref.name),
            media_type=_media_type(ref.media_type),
            size_bytes=len(data),
            parts=parts,
        )

    async def _publish(self, subject: str, data: bytes, message_id: str) -> None:
        await until_it_works(lambda: self._bus.publish(subject, data, message_id=message_id))


def _media_type(text: str) -> str:
    is_orderly = text.isascii() and text.isprintable() and len(text) <= MAX_MEDIA_TYPE_CHARS
    return text if is_orderly and "/" in text else "application/octet-stream"
