"""Reads what is in an image, out of the archive that ``docker save`` writes."""

import json
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO


class ImageArchive:
    """The files of an image, as a container would see them, and how it is configured."""

    def __init__(self, path: Path) -> None:
        self._archive = tarfile.open(path)  # noqa: SIM115 - closed by close()
        (self._manifest,) = json.loads(self._read("manifest.json"))
        self.config = json.loads(self._read(self._manifest["Config"]))["config"]
        self.files: dict[str, tuple[str, tarfile.TarInfo]] = {}
        for layer in self._manifest["Layers"]:
            self._add(layer)

    def close(self) -> None:
        """Close the archive; the lists stay."""
        self._archive.close()

    @property
    def size_bytes(self) -> int:
        """What all files together take, unpacked."""
        return sum(member.size for _, member in self.files.values())

    def text(self, path: str) -> str:
        """Return the text of a file, by its path without the leading slash."""
        layer, member = self.files[path]
        with tarfile.open(fileobj=self._member(layer)) as tar:
            found = tar.extractfile(member)
            if found is None:
                raise IsADirectoryError(path)
            return found.read().decode()

    def _add(self, layer: str) -> None:
        with tarfile.open(fileobj=self._member(layer)) as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path.name.startswith(".wh."):
                    self._hide(path.parent / path.name.removeprefix(".wh."))
                elif not member.isdir():
                    self.files[str(path)] = (layer, member)

    def _hide(self, gone: PurePosixPath) -> None:
        for path in [one for one in self.files if PurePosixPath(one).is_relative_to(gone)]:
            del self.files[path]

    def _member(self, name: str) -> IO[bytes]:
        found = self._archive.extractfile(name)
        if found is None:
            raise FileNotFoundError(name)
        return found

    def _read(self, name: str) -> bytes:
        with self._member(name) as file:
            return file.read()
