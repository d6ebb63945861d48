"""Files that people attach: fetched here, with nobody's token, and handed on by reference."""

import asyncio
import logging

import msgspec

from sympozium.chat.files import Files
from sympozium.chat.intake import fitted
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_FILE_BYTES, MAX_FILES
from sympozium.contract.messages import FileRef, InboundMessage
from sympozium_discord.rest import Rest
from sympozium_discord.wire import Attachment

log = logging.getLogger(__name__)

FETCH_ATTEMPTS = 3
PATIENCE_S = 30.0
"""How long all files of one message may take; those that are missing then are named."""


class Attachments:
    """Brings the files of a message to the bus."""

    def __init__(self, rest: Rest, files: Files) -> None:
        self._rest = rest
        self._files = files

    async def added(self, message: InboundMessage, attachments: list[Attachment]) -> InboundMessage:
        """Return *message* with references to its files.

        A file that cannot be had is named in the text: the words are not lost for it.

        Raises:
            TransientError: The bus does not take a file now.
        """
        files: list[FileRef] = []
        missing: list[str] = []
        patience_ends = asyncio.get_running_loop().time() + PATIENCE_S
        for number, attachment in enumerate(attachments):
            data = await self._fetch(attachment, patience_ends) if number < MAX_FILES else None
            if data is None:
                missing.append(attachment.filename)
            else:
                name, media_type = attachment.filename, attachment.content_type
                files.append(await self._files.put(name, media_type, data))
        notes = [f"[the file {name} could not be fetched]" for name in missing]
        text = "\n".join([message.text, *notes] if message.text else notes)
        return msgspec.structs.replace(message, files=files, text=fitted(text))

    async def _fetch(self, attachment: Attachment, patience_ends: float) -> bytes | None:
        for attempt in range(1, FETCH_ATTEMPTS + 1):
            try:
                async with asyncio.timeout_at(patience_ends):
                    return await self._rest.fetch(attachment.url, max_bytes=MAX_FILE_BYTES)
            except TimeoutError:
                return None
            except PermanentError as error:
                log.info("file left out", extra={"action": "drop", "cause": str(error)})
                return None
            except TransientError as error:
                log.debug("file not fetched", extra={"action": "retry", "cause": str(error)})
                await asyncio.sleep(0.25 * 2.0**attempt)
        return None
