"""The one way from an Agent and a trigger to an AgentRun.

Whoever starts a run (a message, a schedule, a person's program) builds it here,
so every run carries the same labels and the same snapshot of its Agent. The
snapshot is taken now: a later change of the Agent does not change runs that wait.
"""

from typing import Any

import msgspec

from sympozium.contract.agent import AgentSpec
from sympozium.contract.agentrun import AgentRunSpec, ModelSpec, Source
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import conversation_label
from sympozium.contract.resources import (
    AGENT_LABEL,
    AGENT_RUNS,
    CHANNEL_LABEL,
    CONVERSATION_LABEL,
    MANAGED_BY_LABEL,
    Object,
)

PROVIDER = "openai"
"""The protocol of every model endpoint we speak to; whose key an `authRefs` entry holds."""


def build_run(
    agent: Object, *, name: str, task: str, source: Source | None = None, model: str = ""
) -> Object:
    """Build the AgentRun that has *agent* do *task*, in the Agent's namespace.

    The same arguments always give the same object. *source* names the message
    that is answered; without it the run belongs to no conversation. *model* is
    used in place of the Agent's own, at the same endpoint.

    Raises:
        PermanentError: The Agent holds what this version does not understand; its
            text names the field.
    """
    metadata = agent["metadata"]
    spec = _agent_spec(agent)
    config = spec.agents.default
    run_spec = AgentRunSpec(
        agent_ref=metadata["name"],
        task=task,
        model=ModelSpec(
            provider=PROVIDER,
            model=model or config.model,
            base_url=config.base_url,
            auth_secret_ref=_auth_secret(spec),
        ),
        skills=spec.skills,
        timeout=config.timeout,
        source=source,
    )
    return {
        "apiVersion": AGENT_RUNS.api_version,
        "kind": AGENT_RUNS.kind,
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": _labels(metadata["name"], source),
        },
        "spec": msgspec.to_builtins(run_spec),
    }


def _agent_spec(agent: Object) -> AgentSpec:
    try:
        return msgspec.convert(agent.get("spec"), AgentSpec)
    except msgspec.ValidationError as error:
        raise PermanentError(
            f"cannot read Agent {agent['metadata']['name']!r}: {error}; correct its spec"
        ) from None


def _auth_secret(spec: AgentSpec) -> str:
    return next((ref.secret for ref in spec.auth_refs if ref.provider == PROVIDER), "")


def _labels(agent_name: str, source: Source | None) -> dict[str, Any]:
    labels = {MANAGED_BY_LABEL: "sympozium", AGENT_LABEL: agent_name}
    if source is not None:
        labels[CHANNEL_LABEL] = source.channel
        labels[CONVERSATION_LABEL] = conversation_label(source.channel, source.conversation)
    return labels
