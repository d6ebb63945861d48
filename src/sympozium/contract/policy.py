"""`SympoziumPolicy`: what the agents that name it may do. Not supported yet."""

from typing import Annotated

import msgspec

from sympozium.contract.schema import KubeModel, described


class ToolRule(KubeModel, frozen=True, kw_only=True):
    """What becomes of calls of one tool."""

    tool: Annotated[str, described("Name of the tool.")] = ""
    action: Annotated[str, described("`allow`, `deny` or `ask`.")] = ""


class ToolGating(KubeModel, frozen=True, kw_only=True):
    """Which tools an agent may call."""

    default_action: Annotated[
        str, described("What becomes of tools without a rule: `allow`, `deny` or `ask`.")
    ] = ""
    rules: list[ToolRule] = []


class SubagentPolicy(KubeModel, frozen=True, kw_only=True):
    """How far an agent may have others work for it."""

    max_depth: Annotated[int, described("How many levels deep.")] = 0
    max_concurrent: Annotated[int, described("How many at once.")] = 0


class SandboxPolicy(KubeModel, frozen=True, kw_only=True):
    """The sandbox in which commands run."""

    required: Annotated[bool, described("Whether a run without one is refused.")] = False
    default_image: Annotated[str, described("Image of a sandbox that names none.")] = ""
    max_cpu: Annotated[str, described("Most processor, as a quantity: `4`.")] = msgspec.field(
        default="", name="maxCPU"
    )
    max_memory: Annotated[str, described("Most memory, as a quantity: `8Gi`.")] = ""


class SympoziumPolicySpec(KubeModel, frozen=True, kw_only=True):
    """What agents may do."""

    tool_gating: ToolGating | None = None
    subagent_policy: SubagentPolicy | None = None
    sandbox_policy: SandboxPolicy | None = None
    feature_gates: Annotated[
        dict[str, bool], described("Abilities by name, and whether an agent may have them.")
    ] = {}
