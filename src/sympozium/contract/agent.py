"""`Agent`: an identity with a model, skills, channels and limits."""

from typing import Annotated, Literal

import msgspec

from sympozium.contract.channel import ConfigRef
from sympozium.contract.conditions import Condition
from sympozium.contract.limits import MAX_HISTORY_LIMIT
from sympozium.contract.schema import (
    UP_TO_A_DAY,
    Duration,
    KubeModel,
    Quantities,
    UnsupportedInteger,
    UnsupportedList,
    UnsupportedObject,
    UnsupportedString,
    described,
    ruled,
)


class SkillRef(KubeModel, frozen=True, kw_only=True):
    """A skill that the agent has."""

    skill_pack_ref: Annotated[
        str,
        described("Name of the skill. `cluster-reader`, which reads pods and jobs, is built in."),
        ruled(
            "self == 'cluster-reader'",
            "SkillPack objects are not supported yet; the built-in skill is 'cluster-reader'",
        ),
    ]
    params: UnsupportedObject = None


class SecretRef(KubeModel, frozen=True, kw_only=True):
    """A Secret in the same namespace."""

    secret: Annotated[str, described("Name of the Secret.", min_length=1)]


class AuthRef(KubeModel, frozen=True, kw_only=True):
    """Where the credential for a provider is."""

    provider: Annotated[
        str,
        described("Whose credential it is."),
        ruled(
            "self == 'openai'",
            "only 'openai' is supported yet: any endpoint that speaks its "
            "protocol, with agents.default.baseURL",
        ),
    ]
    secret: Annotated[
        str, described("Name of a Secret with the key `OPENAI_API_KEY`.", min_length=1)
    ]


class ChannelShorthand(KubeModel, frozen=True, kw_only=True):
    """A channel of which the controller makes a Channel object owned by the Agent."""

    type: Annotated[
        Literal["web", "slack", "telegram", "discord"], described("Platform of the channel.")
    ]
    config_ref: ConfigRef | None = None
    access_control: UnsupportedObject = None
    container: UnsupportedObject = None
    max_messages_per_minute: UnsupportedInteger = None


class Resources(KubeModel, frozen=True, kw_only=True):
    """What a container asks for and may use."""

    requests: Quantities = {}
    limits: Quantities = {}


class AgentConfig(KubeModel, frozen=True, kw_only=True):
    """How the agent runs."""

    model: Annotated[str, described("Name of the model at its endpoint.", min_length=1)]
    base_url: Annotated[
        str,
        described(
            "Endpoint that speaks the OpenAI protocol, with its `/v1`; empty: OpenAI's.",
            pattern="^(https?://.+)?$",
        ),
    ] = msgspec.field(default="", name="baseURL")
    system_prompt: Annotated[str, described("What the model is told first.")] = ""
    timeout: Annotated[
        Duration, described("Deadline of a run, `10m` or `1h30m`, up to `24h`."), UP_TO_A_DAY
    ] = "10m"
    resources: Annotated[Resources, described("Of the container `agent`.")] = Resources()
    sandbox: UnsupportedObject = None
    agent_sandbox: UnsupportedObject = None
    subagents: UnsupportedObject = None
    thinking: UnsupportedString = None
    run_timeout: UnsupportedString = None
    lifecycle: UnsupportedObject = None
    node_selector: UnsupportedObject = None


class Agents(KubeModel, frozen=True, kw_only=True):
    """Configurations by name; today there is one."""

    default: AgentConfig


HistoryLimit = Annotated[int, msgspec.Meta(ge=0, le=MAX_HISTORY_LIMIT)]
"""How many finished runs are kept; as on a CronJob, 0 keeps none."""


MaxConcurrent = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
"""How many runs may be at work at once."""


class AgentSpec(KubeModel, frozen=True, kw_only=True):
    """What is wanted of an agent."""

    agents: Agents
    successful_runs_history_limit: Annotated[
        HistoryLimit | None,
        described(
            "How many AgentRuns that succeeded are kept; absent: as the controller is set (100). "
            "None goes in its first ten minutes, or before its answer is on its way."
        ),
    ] = None
    failed_runs_history_limit: Annotated[
        HistoryLimit | None,
        described("How many AgentRuns that ended otherwise are kept; as successful ones."),
    ] = None
    max_concurrent: Annotated[
        MaxConcurrent | None,
        described(
            "How many runs of this Agent may be at work at once; further ones wait, up to an hour, "
            "which does not count for their deadline. Absent: as many as there is room for."
        ),
    ] = None
    skills: list[SkillRef] = []
    channels: Annotated[
        list[
            Annotated[
                ChannelShorthand,
                ruled(
                    "(self.type == 'web') != has(self.configRef)",
                    "a bot needs configRef.secret, the name of a Secret with its tokens; a web "
                    "channel has none",
                    field="configRef",
                ),
            ]
        ],
        described("Channels with their defaults, one of a type."),
        ruled(
            "self.all(one, self.exists_one(other, other.type == one.type))",
            "one channel of a type; make a Channel for each further one",
        ),
        # For the API server, to which the rule costs too much without. Older Agents are read.
        msgspec.Meta(extra_json_schema={"maxItems": 4}),
    ] = []
    auth_refs: list[AuthRef] = []
    policy_ref: UnsupportedString = None
    memory: UnsupportedObject = None
    observability: UnsupportedObject = None
    web_endpoint: UnsupportedObject = None
    mcp_servers: UnsupportedList = None
    image_pull_secrets: UnsupportedList = None
    volumes: UnsupportedList = None
    volume_mounts: UnsupportedList = None


class AgentStatus(KubeModel, frozen=True, kw_only=True):
    """What the controller knows of an agent."""

    observed_generation: int = 0
    conditions: list[Condition] = []
