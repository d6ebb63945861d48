"""What a run will use, once its own spec and its Agent are put together."""

from dataclasses import dataclass
from datetime import timedelta

from sympozium.contract.agent import AgentSpec, Resources
from sympozium.contract.agentrun import AgentRunSpec, ModelSpec, ToolPolicy
from sympozium.contract.times import parse_duration
from sympozium_controller.runs.bounds import NO_BOUNDS, Bounds

OPENAI_BASE_URL = "https://api.openai.com/v1"
"""Where a model without a baseURL is. Source: https://platform.openai.com/docs/api-reference"""


@dataclass(frozen=True)
class Plan:
    """A run's model, skills and limits, with every default filled in.

    Attributes:
        resources: What its owner says of the agent's container.
        bounds: What its namespace allows any container.
    """

    model: ModelSpec
    skills: tuple[str, ...]
    tools: ToolPolicy
    timeout: timedelta
    resources: Resources
    bounds: Bounds = NO_BOUNDS

    @property
    def model_url(self) -> str:
        """Where the bridge finds the model."""
        return self.model.base_url or OPENAI_BASE_URL


def plan_run(spec: AgentRunSpec, agent: AgentSpec, bounds: Bounds = NO_BOUNDS) -> Plan:
    """Return what a run of *spec* uses; what *spec* leaves out is its Agent's."""
    config = agent.agents.default
    credentials = agent.auth_refs[0].secret if agent.auth_refs else ""
    model = spec.model or ModelSpec(
        model=config.model, base_url=config.base_url, auth_secret_ref=credentials
    )
    skills = agent.skills if spec.skills is None else spec.skills
    return Plan(
        model=model,
        skills=tuple(dict.fromkeys(skill.skill_pack_ref for skill in skills)),
        tools=spec.tool_policy or ToolPolicy(),
        timeout=parse_duration(spec.timeout or config.timeout),
        resources=config.resources,
        bounds=bounds,
    )
