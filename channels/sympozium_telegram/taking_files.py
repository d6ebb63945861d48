"""Taking the files of a message from Telegram into the bus, or saying why one was not taken."""

import asyncio
import logging
from collections.abc import Sequence

from sympozium.chat.files import Files
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_FILE_BYTES, MAX_FILES
from sympozium.contract.messages import FileRef
from sympozium_telegram.bot_api import BotApi
from sympozium_telegram.reading import Wanted

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 4
FIRST_PAUSE_S = 0.5
"""A file that cannot be had must not hold up all that is said after it."""


class TakingFiles:
    """Downloads what people send, with the token, and stores it without."""

    def __init__(self, api: BotApi, files: Files) -> None:
        self._api = api
        self._files = files

    async def take(self, wanted: Sequence[Wanted]) -> tuple[list[FileRef], list[str]]:
        """Return references to the files that were taken, and a sentence for each other one.

        Raises:
            BusUnavailableError: The bus does not take them now; take the message again.
        """
        refs, notes = [], []
        for file in wanted[:MAX_FILES]:
            data = None if file.size_bytes > MAX_FILE_BYTES else await self._download(file)
            if data is None:
                notes.append(_not_taken(file))
            else:
                refs.append(await self._files.put(file.name, file.media_type, data))
        return refs, notes

    async def _download(self, file: Wanted) -> bytes | None:
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                found = await self._api.call_object("getFile", {"file_id": file.file_id})
                return await self._api.download(str(found.get("file_path", "")))
            except TransientError as error:
                log.info("file not taken yet", extra=_facts("retry", attempt, error))
            except PermanentError as error:
                log.warning("file not taken", extra=_facts("discard", attempt, error))
                return None
            await asyncio.sleep(pause_s)
            pause_s *= 2
        return None


def _not_taken(file: Wanted) -> str:
    size = f" of {file.size_bytes / 1_000_000:.1f} MB" if file.size_bytes else ""
    limit = f"; a bot may take up to {MAX_FILE_BYTES // 1_000_000} MB"
    cause = limit if file.size_bytes > MAX_FILE_BYTES else "; Telegram did not hand it out"
    return f"[the file {file.name!r}{size} was not taken{cause}]"


def _facts(action: str, attempt: int, error: Exception) -> dict[str, object]:
    return {"action": action, "attempt": attempt, "cause": str(error)}
