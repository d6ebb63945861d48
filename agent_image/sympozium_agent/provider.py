"""What the agent needs of a model. The adapter for the OpenAI protocol keeps these promises."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from sympozium.contract.errors import SympoziumError
from sympozium.contract.messages import Role
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import Usage


@dataclass(frozen=True)
class System:
    """What the model is told first."""

    text: str


@dataclass(frozen=True)
class Image:
    """A picture that a person sent."""

    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Said:
    """A turn of the person or of the assistant."""

    role: Role
    text: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True)
class ToolRequest:
    """The model wants a tool to run.

    Attributes:
        id: The model's own name for the request, by which it knows the result again.
        arguments: JSON text as the model wrote it; it may be broken.
    """

    id: str
    tool: str
    arguments: str


@dataclass(frozen=True)
class ToolsRequested:
    """The assistant's turn in which it asked for tools."""

    text: str
    requests: tuple[ToolRequest, ...]


@dataclass(frozen=True)
class ToolResult:
    """What a requested tool gave."""

    request_id: str
    text: str


Turn = System | Said | ToolsRequested | ToolResult


@dataclass(frozen=True)
class OfferedTool:
    """A tool as the model is told of it. *parameters* is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A whole turn of the model: a text, requests for tools, or both; never neither."""

    text: str
    requests: tuple[ToolRequest, ...]
    usage: Usage


class Trouble(Enum):
    """What can be wrong with a model call: the run's reason, and pauses before trying again.

    One pause for each further try; a call that is in trouble after the last fails.
    """

    DOOR_CLOSED = (Reason.MODEL_UNREACHABLE, (0.2, 0.4, 0.8, 1.6, 3.0, 3.0))
    """The bridge is away, for as long as it takes to start it again."""
    UNREACHABLE = (Reason.MODEL_UNREACHABLE, (0.5, 2.0))
    OVERLOADED = (Reason.MODEL_OVERLOADED, (0.5, 2.0))
    BAD_ANSWER = (Reason.MODEL_BAD_ANSWER, (0.2,))
    REFUSED = (Reason.MODEL_REFUSED, ())
    SILENT = (Reason.MODEL_TIMEOUT, ())

    def __init__(self, reason: Reason, pauses_s: tuple[float, ...]) -> None:
        self.reason = reason
        self.pauses_s = pauses_s


class ModelCallError(SympoziumError):
    """The model gave no usable answer.

    Attributes:
        trouble: Says whether asking again makes sense.
        retry_after_s: What the endpoint asked us to wait, or None.
    """

    def __init__(self, trouble: Trouble, cause: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"cannot get an answer from the model: {cause}")
        self.trouble = trouble
        self.retry_after_s = retry_after_s


class Provider(Protocol):
    """A model behind some protocol."""

    async def ask(
        self,
        turns: Sequence[Turn],
        tools: Sequence[OfferedTool],
        on_text: Callable[[str], None],
    ) -> Answer:
        """Return the model's next turn; *on_text* gets the pieces of its text as they come.

        Raises:
            ModelCallError: There is none. *on_text* may have been called.
        """
