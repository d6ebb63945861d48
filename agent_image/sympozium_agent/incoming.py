"""Files that came with a message, from the bus to the volume that the agent sees."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from sympozium.bus.ports import LiveBus, NoAnswerError
from sympozium.contract.desk import FetchAnswer, FetchRequest
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import FILE_PART_BYTES, MAX_FILE_BYTES, MAX_FILES
from sympozium.contract.messages import FileRef
from sympozium.contract.subjects import fetch
from sympozium_agent.file_names import incoming_name
from sympozium_agent.run_bus import RunIdentity
from sympozium_agent.volume import FileRefusedError, new_file, open_folder

log = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""How long the files of one message may take; the agent waits, and says what is missing."""

REQUEST_TIMEOUT_S = 3.0
PAUSE_S = 0.2

MAX_RUN_BYTES = MAX_FILES * MAX_FILE_BYTES
"""Of all files that come to one run, with its task and while it works."""


class Incoming:
    """Fetches files for the agent of one run."""

    def __init__(
        self, bus: LiveBus, identity: RunIdentity, folder: Path, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._bus = bus
        self._subject = fetch(identity.namespace, identity.run_uid)
        self._folder = folder
        self._patience_s = patience_s
        self._left_bytes = MAX_RUN_BYTES

    async def fetch(self, refs: Sequence[FileRef]) -> None:
        """Put files into the folder, each whole or not at all.

        What cannot be had is left out: the agent sees that it is not there, and
        tells the model so. A message is worth an answer without its files.
        """
        if not refs:
            return
        try:
            async with asyncio.timeout(self._patience_s):
                with open_folder(self._folder, create=True) as folder:
                    for ref in refs[:MAX_FILES]:
                        await self._fetch_or_leave_out(folder, ref)
        except (FileRefusedError, TimeoutError) as error:
            cause = str(error) or f"they did not come within {self._patience_s:g} s"
            log.warning("files are left out", extra={"action": "drop", "cause": cause})

    async def _fetch_or_leave_out(self, folder: int, ref: FileRef) -> None:
        try:
            self._check(ref)
            with new_file(folder, incoming_name(ref)) as file:
                await self._copy(ref, file)
        except PermanentError as error:
            log.warning("file is left out", extra={"action": "drop", "cause": str(error)})
        else:
            self._left_bytes -= ref.size_bytes

    def _check(self, ref: FileRef) -> None:
        if not 0 <= ref.size_bytes <= MAX_FILE_BYTES:
            raise PermanentError(f"cannot take a file: it has more than {MAX_FILE_BYTES} bytes")
        if ref.size_bytes > self._left_bytes:
            raise PermanentError("cannot take a file: this run was given enough of them")
        if ref.parts > -(-MAX_FILE_BYTES // FILE_PART_BYTES):
            raise PermanentError("cannot take a file: it is cut into too many parts")

    async def _copy(self, ref: FileRef, file: BinaryIO) -> None:
        size_bytes = 0
        for number in range(ref.parts):
            data = await self._part(FetchRequest(owner=ref.owner, id=ref.id, part=number))
            size_bytes += len(data)
            if size_bytes > ref.size_bytes:
                break
            file.write(data)
        if size_bytes != ref.size_bytes:
            raise PermanentError("cannot take a file: it has not the size that was announced")

    async def _part(self, request: FetchRequest) -> bytes:
        question = encode(request)
        while True:
            try:
                data = await self._bus.request(self._subject, question, timeout_s=REQUEST_TIMEOUT_S)
            except NoAnswerError as error:
                log.debug("file is asked for again", extra={"action": "retry", "cause": str(error)})
            else:
                answer = decode(data, FetchAnswer)
                if not answer.error:
                    return answer.data
                if not answer.retry:
                    raise PermanentError(f"cannot take a file: {answer.error}")
            await asyncio.sleep(PAUSE_S)
