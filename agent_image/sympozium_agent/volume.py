"""Files on the volume that all containers of a run share, where no one trusts the other.

Whoever writes there may leave a link or a pipe in the place of a folder or a file.
Nothing here follows one: a folder is opened as what it is, and names lead nowhere
out of it.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sympozium.contract.errors import PermanentError

_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITTEN = ".new"


class FileRefusedError(PermanentError):
    """What lies there is no file that may be read or written."""


@contextmanager
def open_folder(path: Path, *, create: bool = False) -> Iterator[int]:
    """Yield a descriptor of the folder at *path*, whose parent is trusted.

    Raises:
        FileRefusedError: There is none, or something else lies there.
    """
    try:
        if create:
            path.mkdir(exist_ok=True)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    except OSError as error:
        raise FileRefusedError(f"cannot open folder {path.name!r}: {error.strerror}") from error
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def open_file(folder: int, name: str, *, max_bytes: int) -> Iterator[BinaryIO]:
    """Yield a regular file of *folder* for reading.

    Raises:
        FileRefusedError: There is none, it is none, or it is longer than *max_bytes*.
    """
    if "/" in name or name in {"", ".", ".."} or "\0" in name:
        raise FileRefusedError("cannot open a file: its name is no name")
    try:
        fd = os.open(name, os.O_RDONLY | _FLAGS, dir_fd=folder)
    except OSError as error:
        raise FileRefusedError(f"cannot open a file: {error.strerror}") from error
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_size > max_bytes:
        os.close(fd)
        raise FileRefusedError(
            f"cannot open a file: it is no regular file of at most {max_bytes} bytes"
        )
    with os.fdopen(fd, "rb") as file:
        yield file


@contextmanager
def new_file(folder: int, name: str) -> Iterator[BinaryIO]:
    """Yield a file to write; it bears *name* once the block is left, and never a part of it.

    Raises:
        FileRefusedError: The folder takes none.
    """
    fresh = name + _WRITTEN
    try:
        _forget(folder, fresh)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o644, dir_fd=folder)
        with os.fdopen(fd, "wb") as file:
            yield file
        os.replace(fresh, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        raise FileRefusedError(f"cannot write a file: {error.strerror}") from error
    finally:
        _forget(folder, fresh)


def _forget(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
