"""Files between a channel and the bus: they travel by reference, part by part.

A platform's token never leaves the channel: it downloads what a person sent,
puts it into the FILES stream, and the message carries a reference.
"""

import math
import re
import secrets

from sympozium.bus.ports import Bus, LiveBus
from sympozium.contract.desk import FetchAnswer, FetchRequest
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import FILE_PART_BYTES, MAX_FILE_BYTES
from sympozium.contract.messages import FileRef
from sympozium.contract.subjects import fetch, file_part

FETCH_TIMEOUT_S = 5.0
MAX_FILE_NAME_CHARS = 120

_UNFIT = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Files:
    """What people send through one channel, and what they are sent."""

    def __init__(self, bus: Bus, live: LiveBus, namespace: str, channel: str) -> None:
        self._bus = bus
        self._live = live
        self._namespace = namespace
        self._channel = channel

    async def put(self, name: str, media_type: str, data: bytes) -> FileRef:
        """Store a file that a person sent; every part is on disk when this returns.

        Raises:
            PermanentError: It is longer than a file may be.
            TransientError: The bus does not take it now.
        """
        if len(data) > MAX_FILE_BYTES:
            raise PermanentError(
                f"cannot take a file of {len(data)} bytes: {MAX_FILE_BYTES} are accepted; "
                "send a shorter one"
            )
        id_ = secrets.token_hex(16)
        parts = math.ceil(len(data) / FILE_PART_BYTES)
        for part in range(parts):
            begin = part * FILE_PART_BYTES
            await self._bus.publish(
                file_part(self._namespace, self._channel, id_, part),
                data[begin : begin + FILE_PART_BYTES],
                message_id=f"{self._namespace}/{self._channel}/{id_}/{part}",
            )
        return FileRef(
            id=id_,
            owner=self._channel,
            name=fitted_name(name),
            media_type=media_type or "application/octet-stream",
            size_bytes=len(data),
            parts=parts,
        )

    async def read(self, ref: FileRef) -> bytes:
        """Return a file's bytes.

        Raises:
            PermanentError: The file is gone, or is not what the reference says.
            TransientError: It cannot be read now.
        """
        if ref.size_bytes > MAX_FILE_BYTES or ref.parts > math.ceil(
            MAX_FILE_BYTES / FILE_PART_BYTES
        ):
            raise PermanentError(f"cannot read a file: it is longer than {MAX_FILE_BYTES} bytes")
        parts = [await self._part(ref, part) for part in range(ref.parts)]
        data = b"".join(parts)
        if len(data) != ref.size_bytes:
            raise PermanentError(
                f"cannot read a file: it has {len(data)} bytes and should have {ref.size_bytes}"
            )
        return data

    async def _part(self, ref: FileRef, part: int) -> bytes:
        request = FetchRequest(owner=ref.owner, id=ref.id, part=part)
        subject = fetch(self._namespace, self._channel)
        data = await self._live.request(subject, encode(request), timeout_s=FETCH_TIMEOUT_S)
        answer = decode(data, FetchAnswer)
        if answer.error and answer.retry:
            raise TransientError(f"cannot read a file now: {answer.error}")
        if answer.error or not answer.data:
            raise PermanentError(f"the file is gone: {answer.error or 'a part of it is empty'}")
        return answer.data


def fitted_name(name: str) -> str:
    """Return what a file may be called: one path component, without control characters."""
    last = _UNFIT.sub("", name.replace("\\", "/")).rsplit("/", 1)[-1].strip()
    if len(last) > MAX_FILE_NAME_CHARS:
        stem, dot, suffix = last.rpartition(".")
        ending = dot + suffix if stem and len(suffix) <= 10 else ""
        last = last[: MAX_FILE_NAME_CHARS - len(ending)] + ending
    return last if last.strip(".") else "file"
