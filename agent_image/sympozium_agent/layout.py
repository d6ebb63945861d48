"""Where the containers of a run find their journals."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_IPC_DIR = Path("/ipc")


@dataclass(frozen=True)
class IpcLayout:
    """Paths under the shared volume of a run."""

    root: Path = DEFAULT_IPC_DIR

    @property
    def to_agent(self) -> Path:
        """Journal that the bridge writes: the context first."""
        return self.root / "in.jsonl"

    @property
    def from_agent(self) -> Path:
        """Journal that the agent writes: everything the run says."""
        return self.root / "out.jsonl"

    @property
    def recorded(self) -> Path:
        """Where the bridge keeps how far it has recorded the agent's journal."""
        return self.root / "recorded.json"

    @property
    def incoming_files(self) -> Path:
        """Folder with the files that came with messages; the bridge fills it."""
        return self.root / "files"

    @property
    def outgoing_files(self) -> Path:
        """Folder with the files that go with the answer; the agent fills it."""
        return self.root / "out-files"

    def tool_calls(self, pack: str) -> Path:
        """Journal in which the agent calls the tools of a skill."""
        return self.root / "tools" / pack / "in.jsonl"

    def tool_answers(self, pack: str) -> Path:
        """Journal in which the sidecar of a skill answers."""
        return self.root / "tools" / pack / "out.jsonl"
