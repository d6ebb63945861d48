"""What a run says and is told: journal lines, RUNS events, live tokens and the run's context.

The agent appends lines to `/ipc/out.jsonl`. The bridge publishes every line that
counts to `runs.<ns>.<uid>.out`, except deltas, which are nobody's record and go
to `live.<ns>.<uid>` alone. A line that no type here fits is refused by the bridge.
"""

from datetime import datetime

import msgspec

from sympozium.contract.envelope import unwrap, wrap
from sympozium.contract.messages import Entry, FileRef
from sympozium.contract.names import MessageId, RunName, RunUid

MAX_TOKENS = 10**12
"""More than a run can use. What counts more is wrong, and must not break who adds it up."""


class _Line(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    omit_defaults=True,
    tag_field="type",
):
    pass


class Started(_Line, frozen=True, kw_only=True, tag="started"):
    """The agent is up and has read its task."""


class Delta(_Line, frozen=True, kw_only=True, tag="delta"):
    """A piece of the growing answer.

    Attributes:
        offset: How many characters of the answer precede *text*. 0 starts the answer
            anew: after a tool call, or after a model call was repeated.
    """

    text: str
    offset: int


class Progress(_Line, frozen=True, kw_only=True, tag="progress"):
    """A tool call began or ended.

    Attributes:
        call_id: `<run-uid>/<step>`, by which a tool that can recognises a repetition.
        state: `started`, `done`, `failed` or `denied`.
    """

    call_id: str
    tool: str
    state: str


class Usage(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Tokens that a run used, as the model counted them."""

    input_tokens: int = 0
    output_tokens: int = 0

    def bounded(self) -> "Usage":
        """Return what of it may be true, and fits a number of JSON and of a database."""
        return Usage(
            input_tokens=max(0, min(self.input_tokens, MAX_TOKENS)),
            output_tokens=max(0, min(self.output_tokens, MAX_TOKENS)),
        )


class Absorbed(_Line, frozen=True, kw_only=True, tag="absorbed"):
    """The agent took in a message that came while it worked; its answer answers that too."""

    message_id: MessageId


class Result(_Line, frozen=True, kw_only=True, tag="result"):
    """The answer, whole. The first Result or Failure ends the run.

    Attributes:
        blocked_connections: Attempts of the pod to reach something that came to nothing.
            The bridge says so, whatever the agent wrote.
    """

    text: str
    usage: Usage = Usage()
    files: list[FileRef] = []
    blocked_connections: int = 0


class Failure(_Line, frozen=True, kw_only=True, tag="failure"):
    """The run cannot answer.

    Attributes:
        reason: A value of `reasons.Reason`.
        detail: For the operator's log and the status; no secret, no payload.
        blocked_connections: As of a `Result`.
    """

    reason: str
    detail: str = ""
    usage: Usage = Usage()
    blocked_connections: int = 0


RunEvent = Started | Delta | Progress | Absorbed | Result | Failure
"""Any line an agent may write."""


class Blocked(_Line, frozen=True, kw_only=True, tag="blocked"):
    """What was tried in vain so far. The bridge says so, for a run whose end others may bring.

    Attributes:
        connections: As `blocked_connections` of a `Result`.
    """

    connections: int


RecordedLine = RunEvent | Blocked
"""Anything that RUNS holds of a run."""


class Waiting(_Line, frozen=True, kw_only=True, tag="waiting"):
    """The run has not started. The controller says so, on the live subject and nowhere else.

    Attributes:
        before: How many come first, as far as can be said now; None: it cannot.
        for_capacity: It waits for room or for a limit, and not for its own conversation.
    """

    before: int | None = None
    for_capacity: bool = False


LiveLine = RunEvent | Waiting
"""Anything that is heard on a run's live subject."""


def recorded_event(data: bytes) -> RecordedLine:
    """Read a message of the RUNS stream: an envelope around what the run said.

    Raises:
        PermanentError: *data* is no envelope, or no type of line fits its payload.
    """
    return unwrap(data, RecordedLine)  # type: ignore[arg-type] # msgspec takes a union as a type


def record(event: RecordedLine, *, id: str, time: datetime) -> bytes:
    """Write what `recorded_event` reads."""
    return wrap(event, id=id, time=time)


def recorded_id(run_uid: RunUid, pod_uid: str, place: str) -> str:
    """Identify what was said at *place* of a pod's journal, for ever."""
    return f"{run_uid}/{pod_uid}/{place}"


def pod_of(id: str) -> str:
    """Return the uid of the pod that said what `recorded_id` identifies; empty: nobody's id."""
    parts = id.split("/")
    return parts[1] if len(parts) == 3 else ""


class ToolCall(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A line in `/ipc/tools/<pack>/in.jsonl`: the agent asks a tool sidecar."""

    call_id: str
    tool: str
    arguments: dict[str, msgspec.Raw] = {}


class ToolAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A line in `/ipc/tools/<pack>/out.jsonl`: what came of a call.

    Attributes:
        text: What the model is told: the output, or what went wrong.
    """

    call_id: str
    text: str
    failed: bool = False


class ModelAccess(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Which model the run uses."""

    provider: str
    model: str


class Steering(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A message of `runs.<ns>.<uid>.in`, and a later line of `/ipc/in.jsonl`.

    It is handed to the agent at work. Only what the agent confirms with `Absorbed`
    counts as answered by its run; a message that comes too late gets a run of its own.
    """

    message_id: MessageId
    text: str
    files: list[FileRef] = []


class ContextRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Asks for the context of the run that the subject names by its uid.

    Attributes:
        run_name: Name of the run, by which it is found sooner; empty: of an older bridge.
        pod_uid: Of the pod that asks; empty: of an older bridge.
    """

    run_name: RunName = RunName("")
    pod_uid: str = ""


class RunContext(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The answer to a `context` request, and the only line of `/ipc/in.jsonl` at its start.

    Attributes:
        history: Earlier entries of the conversation, oldest first.
        files: What came with the task.
        steered: What was handed to the run before it asked.
    """

    run_name: RunName
    run_uid: RunUid
    task: str
    model: ModelAccess
    system_prompt: str = ""
    history: list[Entry] = []
    skills: list[str] = []
    allowed_tools: list[str] | None = None
    denied_tools: list[str] = []
    files: list[FileRef] = []
    steered: list[Steering] = []


class ContextAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Either a context or why there is none.

    Attributes:
        retry: Ask again: the answer may be there soon.
        reason: Of the failure that the run ends with; empty: it cannot have its context.
    """

    context: RunContext | None = None
    error: str = ""
    retry: bool = False
    reason: str = ""


def call_id(run_uid: RunUid, step: int) -> str:
    """Identify a tool call for ever: the same step of the same run is the same call."""
    return f"{run_uid}/{step}"
