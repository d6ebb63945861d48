"""What an AgentRun may ask for: what its Agent has, and no more."""

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from sympozium.contract.agent import AgentSpec
from sympozium.contract.agentrun import AgentRunSpec
from sympozium.contract.resources import Object
from sympozium.contract.times import parse_duration


def refusal(run: Object, agent: Object | None, offered_models: Iterable[str]) -> str:
    """Return why *run* may not be created, and what to do; "": it may.

    Args:
        run: An AgentRun that its schema accepts.
        agent: That of its own namespace which it names; None: there is none.
        offered_models: What the Channels of the namespace let people choose.
    """
    metadata, wanted = run["metadata"], msgspec.convert(run["spec"], AgentRunSpec)
    if agent is None:
        return (
            f"there is no Agent {wanted.agent_ref!r} in namespace {metadata['namespace']!r}; "
            "create it there, or name one of this namespace in spec.agentRef"
        )
    try:
        allowed = msgspec.convert(agent["spec"], AgentSpec)
    except msgspec.ValidationError as error:
        return f"Agent {wanted.agent_ref!r} cannot be read: {error}; correct its spec"
    reasons = (
        _model(wanted, allowed, offered_models),
        _skills(wanted, allowed),
        _timeout(wanted, allowed),
    )
    return next(filter(None, reasons), "")


def _model(wanted: AgentRunSpec, allowed: AgentSpec, offered: Iterable[str]) -> str:
    if wanted.model is None:
        return ""
    config, model, agent = allowed.agents.default, wanted.model, wanted.agent_ref
    secrets = {"", *(ref.secret for ref in allowed.auth_refs)}
    if model.auth_secret_ref not in secrets:
        return (
            f"Agent {agent!r} has no credential {model.auth_secret_ref!r}; leave "
            "spec.model.authSecretRef out, or add the Secret to the Agent's authRefs"
        )
    if model.base_url != config.base_url:
        return (
            f"Agent {agent!r} does not use the endpoint {model.base_url or 'of OpenAI'!r}; leave "
            f"spec.model out, or set its baseURL to {config.base_url!r}"
        )
    models = {config.model, *offered}
    if model.model not in models:
        return (
            f"Agent {agent!r} does not use model {model.model!r}; use "
            f"{_listed(models)}, or list it in a Channel's models"
        )
    return ""


def _skills(wanted: AgentRunSpec, allowed: AgentSpec) -> str:
    has = {skill.skill_pack_ref for skill in allowed.skills}
    more = sorted({skill.skill_pack_ref for skill in wanted.skills or ()} - has)
    if not more:
        return ""
    return (
        f"Agent {wanted.agent_ref!r} does not have skill {more[0]!r}; remove it from spec.skills, "
        "or add it to the Agent's"
    )


def _timeout(wanted: AgentRunSpec, allowed: AgentSpec) -> str:
    longest = parse_duration(allowed.agents.default.timeout)
    asked = parse_duration(wanted.timeout) if wanted.timeout else timedelta(0)
    if asked <= longest:
        return ""
    return (
        f"Agent {wanted.agent_ref!r} works no longer than {allowed.agents.default.timeout}, not "
        f"{wanted.timeout}; shorten spec.timeout, or lengthen the Agent's"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
