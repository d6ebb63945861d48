"""The tool `attach_file`: a text that the model sends along with its answer, as a file."""

import logging
from pathlib import Path
from typing import Annotated

import msgspec

from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_FILES
from sympozium.contract.messages import FileRef
from sympozium.contract.run_events import ToolAnswer, ToolCall
from sympozium_agent.file_names import path_name, shown_name
from sympozium_agent.skills.manifest import Arguments, ToolSpec
from sympozium_agent.volume import FileRefusedError, new_file, open_folder

log = logging.getLogger(__name__)

_MEDIA_TYPES = {
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "svg": "image/svg+xml",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}


class AttachArguments(Arguments, frozen=True, kw_only=True):
    """Of `attach_file`."""

    name: Annotated[
        str, msgspec.Meta(description="File name, like `report.csv`.", min_length=1, max_length=100)
    ]
    text: Annotated[str, msgspec.Meta(description="The whole content.", min_length=1)]


ATTACH_FILE = ToolSpec(
    "attach_file",
    "Send a text file along with your answer, for a long list, a table or a manifest. "
    "A file of the same name is replaced.",
    AttachArguments,
)


class Attachments:
    """The files that go with the answer of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, FileRef] = {}

    @property
    def files(self) -> list[FileRef]:
        """What goes with the answer now; owner and parts are filled in by the bridge."""
        return list(self._files.values())

    async def call(self, call: ToolCall) -> ToolAnswer:
        """Keep the file that the model wrote, or say why not."""
        try:
            arguments = decode(encode(call.arguments), AttachArguments)
            text = self._keep(arguments.name, arguments.text)
        except PermanentError as error:
            return ToolAnswer(call_id=call.call_id, text=str(error), failed=True)
        return ToolAnswer(call_id=call.call_id, text=text)

    def _keep(self, name: str, text: str) -> str:
        own_name = path_name(name)
        if own_name not in self._files and len(self._files) >= MAX_FILES:
            raise FileRefusedError(f"cannot attach a file: an answer has at most {MAX_FILES}")
        data = text.encode(errors="replace")
        with open_folder(self._folder, create=True) as folder, new_file(folder, own_name) as file:
            file.write(data)
        self._files[own_name] = FileRef(
            id=own_name,
            owner="",
            name=shown_name(name),
            media_type=_MEDIA_TYPES.get(own_name.rpartition(".")[2].lower(), "text/plain"),
            size_bytes=len(data),
            parts=0,
        )
        return f"{shown_name(name)!r} goes with your answer ({len(data)} bytes)."
