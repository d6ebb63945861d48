"""Undoing the gateway's compression, which can write twenty megabytes into twenty kilobytes.

The library inflates a frame whole, whatever it holds. A program that dies of one resumes its
session, is sent the same frame again, and dies of it again.
"""

import zlib

MAX_FRAME_BYTES = 8 * 1024 * 1024
"""A message has kilobytes; the largest event tells of a server, its channels, threads and roles."""

MAX_KEPT_BYTES = 256 * 1024
"""How much is handed on of a frame that is too large."""

_PIECE_BYTES = 256 * 1024
_END_OF_FRAME = b"\x00\x00\xff\xff"
"""What `Z_SYNC_FLUSH` writes.

Source: https://docs.discord.com/developers/events/gateway#zlibstream
"""


class FrameTooLargeError(Exception):
    """A frame of more than `MAX_FRAME_BYTES`. The one after it can be read.

    Attributes:
        beginning: What is kept of it.
    """

    def __init__(self, beginning: str) -> None:
        super().__init__(f"cannot read a frame: it has more than {MAX_FRAME_BYTES} bytes")
        self.beginning = beginning


class Inflater:
    """The compression of one connection, in the place of the library's own."""

    COMPRESSION_TYPE = "zlib-stream"

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self._frame = bytearray()
        self._size = 0

    def decompress(self, data: bytes, /) -> str | None:
        """Return the frame that ends with *data*; None: it goes on.

        Raises:
            FrameTooLargeError: There is more of it than is kept.
            zlib.error: The compression broke, for the whole connection.
        """
        rest = data
        while True:
            piece = self._stream.decompress(rest, _PIECE_BYTES)
            rest = self._stream.unconsumed_tail
            self._size += len(piece)
            self._frame += piece[: max(0, MAX_FRAME_BYTES - len(self._frame))]
            if not rest and len(piece) < _PIECE_BYTES:
                break
        return self._finished() if data.endswith(_END_OF_FRAME) else None

    def _finished(self) -> str:
        frame, size = self._frame, self._size
        self._frame, self._size = bytearray(), 0
        if size > MAX_FRAME_BYTES:
            raise FrameTooLargeError(frame[:MAX_KEPT_BYTES].decode(errors="replace"))
        return frame.decode()
