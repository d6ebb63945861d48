"""Files that people send: read with the bot's token, stored, and passed on by reference."""

import asyncio
import logging
from collections.abc import Sequence

import aiohttp

from sympozium.chat.files import Files
from sympozium.contract.errors import PermanentError, SympoziumError
from sympozium.contract.limits import MAX_FILE_BYTES, MAX_FILES
from sympozium.contract.messages import FileRef
from sympozium_slack.api import TRANSFER_TIMEOUT_S, Api
from sympozium_slack.events import File

CHUNK_BYTES = 64 * 1024

log = logging.getLogger(__name__)


class FileNotReadError(PermanentError):
    """A file that cannot be passed on; the text is for the agent and the person."""


class Downloads:
    """Takes people's files from Slack to the bus."""

    def __init__(self, api: Api, files: Files) -> None:
        self._api = api
        self._files = files

    async def take(self, files: Sequence[File]) -> tuple[list[FileRef], list[str]]:
        """Store files, and return the references and a note for each that could not be read.

        A file that cannot be read does not hold up its message.

        Raises:
            TransientError: The bus does not take them now.
        """
        refs: list[FileRef] = []
        notes = [_note(file, f"only {MAX_FILES} files are taken") for file in files[MAX_FILES:]]
        for file in files[:MAX_FILES]:
            try:
                data = await self._read(file)
            except FileNotReadError as error:
                notes.append(_note(file, str(error)))
            else:
                refs.append(await self._files.put(_name(file), file.mimetype or "", data))
        return refs, notes

    async def _read(self, file: File) -> bytes:
        url = await self._url(file)
        if (file.size or 0) > MAX_FILE_BYTES:
            raise FileNotReadError(f"it is longer than {MAX_FILE_BYTES // 2**20} MiB")
        try:
            async with asyncio.timeout(TRANSFER_TIMEOUT_S), self._api.read(url) as response:
                _check(response, file)
                return await _body(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("file not read", extra={"action": "skip", "cause": type(error).__name__})
            raise FileNotReadError("Slack did not hand it out in time") from None

    async def _url(self, file: File) -> str:
        """Return where the file is; Slack says it later of files from other workspaces."""
        url = file.url_private_download or file.url_private or ""
        if file.file_access == "check_file_info":
            try:
                info = (await self._api.call("files.info", file=file.id)).get("file") or {}
            except SympoziumError as error:
                raise FileNotReadError("Slack does not say where it is") from error
            url = str(info.get("url_private_download") or info.get("url_private") or "")
            return self._own(url)
        if file.mode in {"external", "tombstone", "hidden_by_limit"}:
            raise FileNotReadError("it is not stored in Slack")
        return self._own(url)

    def _own(self, url: str) -> str:
        try:
            self._api.addresses.of_file(url)
        except PermanentError:
            raise FileNotReadError("it is not stored in Slack") from None
        return url


def _check(response: aiohttp.ClientResponse, file: File) -> None:
    if response.status != 200:
        raise FileNotReadError(
            f"Slack answers {response.status}; the app may lack the scope files:read"
        )
    is_page = response.content_type == "text/html" and file.mimetype != "text/html"
    if is_page:  # what Slack shows to those who may not read it
        raise FileNotReadError("the app may not read it: it lacks the scope files:read")


async def _body(response: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        data += chunk
        if len(data) > MAX_FILE_BYTES:
            raise FileNotReadError(f"it is longer than {MAX_FILE_BYTES // 2**20} MiB")
    return bytes(data)


def _name(file: File) -> str:
    return file.name or file.title or file.id


def _note(file: File, cause: str) -> str:
    return f"[file {_name(file)!r} could not be read: {cause}]"
