"""`AgentRun`: one execution of an agent, from a task to a result or a reason."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from sympozium.contract.agent import SkillRef
from sympozium.contract.conditions import Condition
from sympozium.contract.messages import FileRef, Sender
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.schema import (
    UP_TO_A_DAY,
    Duration,
    KubeModel,
    UnsupportedBoolean,
    UnsupportedList,
    UnsupportedObject,
    UnsupportedString,
    described,
    ruled,
)


class Phase(StrEnum):
    """Where a run is. The conditions carry the reasons."""

    PENDING = "Pending"
    """Created; its pod is not known to run yet. Every run starts here."""
    QUEUED = "Queued"
    """It waits: for earlier runs of its conversation, for room, for a limit; a condition says."""
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    SERVING = "Serving"
    POST_RUNNING = "PostRunning"
    AWAITING_DELEGATE = "AwaitingDelegate"
    SKIPPED = "Skipped"


TERMINAL_PHASES = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED, Phase.SKIPPED})


class ModelSpec(KubeModel, frozen=True, kw_only=True):
    """Which model, where, and with whose credential."""

    provider: Annotated[
        str,
        described("Protocol of the endpoint."),
        ruled(
            "self == 'openai'",
            "only 'openai' is supported yet: any endpoint that speaks its protocol, with baseURL",
        ),
    ] = "openai"
    model: Annotated[str, described("Name of the model at its endpoint.", min_length=1)]
    base_url: Annotated[
        str,
        described("Endpoint with its `/v1`; empty: OpenAI's.", pattern="^(https?://.+)?$"),
    ] = msgspec.field(default="", name="baseURL")
    auth_secret_ref: Annotated[
        str, described("Name of a Secret with the key `OPENAI_API_KEY`; empty: none is sent.")
    ] = ""


class ToolPolicy(KubeModel, frozen=True, kw_only=True):
    """Which tools may run. Checked where the tool would run, whatever the model names."""

    allow: Annotated[
        list[str] | None, described("Only these; absent: all that the skills have.")
    ] = None
    deny: Annotated[list[str], described("Never these, also where `allow` names them.")] = []


class Source(KubeModel, frozen=True, kw_only=True):
    """The message that a run answers, set by the router."""

    channel: Annotated[str, described("Name of the Channel, in the same namespace.")]
    conversation: ConversationId
    message_id: MessageId
    sequence: Annotated[
        int, described("INBOX sequence of the message; runs of a conversation start in its order.")
    ]
    sender: Sender


TtlSeconds = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""A time to live, as on a Job."""


class AgentRunSpec(KubeModel, frozen=True, kw_only=True):
    """What is to be done, by whom, within what limits."""

    agent_ref: Annotated[
        str, described("Name of the Agent, in the same namespace.", min_length=1, max_length=63)
    ]
    agent_id: Annotated[
        str,
        described("Which of the Agent's configurations."),
        ruled("self == 'default'", "only 'default' is supported yet"),
    ] = "default"
    session_key: UnsupportedString = None
    task: Annotated[str, described("What the agent is asked.", min_length=1, max_length=65536)]
    model: Annotated[ModelSpec | None, described("Absent: the Agent's, when the run starts.")] = (
        None
    )
    skills: Annotated[list[SkillRef] | None, described("Absent: the Agent's.")] = None
    tool_policy: ToolPolicy | None = None
    timeout: Annotated[
        Duration | None,
        described("Deadline from the start of the run, `10m`, up to `24h`; absent: the Agent's."),
        UP_TO_A_DAY,
    ] = None
    cleanup: Annotated[
        Literal["delete", "keep"],
        described(
            "`delete`: Job and pod go ten minutes after the end; `keep`: they stay until "
            "the run is deleted, which then goes by its age only, and counts towards no limit."
        ),
    ] = "delete"
    ttl_seconds_after_finished: Annotated[
        TtlSeconds | None,
        described(
            "How long the finished run is kept, at the longest; absent: as the controller is set "
            "(7 days). It stays until its answer is on its way, whatever this says."
        ),
    ] = None
    cancel: Annotated[bool, described("Set to true to end the run as Cancelled.")] = False
    source: Source | None = None
    sandbox: UnsupportedObject = None
    agent_sandbox: UnsupportedObject = None
    parent: UnsupportedObject = None
    env: UnsupportedObject = None
    lifecycle: UnsupportedObject = None
    mode: UnsupportedString = None
    dry_run: UnsupportedBoolean = None
    system_prompt: UnsupportedString = None
    image_pull_secrets: UnsupportedList = None
    volumes: UnsupportedList = None
    volume_mounts: UnsupportedList = None


class RunError(KubeModel, frozen=True, kw_only=True):
    """Why there is no result."""

    reason: Annotated[str, described("A stable word, as in the documentation of failures.")]
    message: Annotated[str, described("For the operator.")] = ""


class RunUsage(KubeModel, frozen=True, kw_only=True):
    """Tokens used, as the model counted them."""

    input_tokens: int = 0
    output_tokens: int = 0


class AgentRunStatus(KubeModel, frozen=True, kw_only=True):
    """What became of the run. Written once, when it is terminal, unless it runs long."""

    phase: Phase = Phase.PENDING
    result: Annotated[str, described("The answer, up to 64 KiB.")] = ""
    result_sequence: Annotated[
        int, described("RUNS sequence of the answer, when it is longer than 64 KiB; else 0.")
    ] = 0
    error: RunError | None = None
    model: Annotated[str, described("Name of the model that was used.")] = ""
    usage: RunUsage | None = None
    blocked_connections: Annotated[
        int,
        described(
            "Attempts of the run's pod to reach something that came to nothing: refused, "
            "unanswered, or of a kind that a run has no use for. 0: none, or nobody counts.",
            ge=0,
        ),
    ] = 0
    started_at: str = ""
    finished_at: str = ""
    job_name: str = ""
    files: Annotated[list[FileRef], described("Files that belong to the answer.")] = []
    absorbed: Annotated[
        list[MessageId],
        described("Messages that came while the run worked, and that its answer answers too."),
    ] = []
    observed_generation: int = 0
    conditions: list[Condition] = []
