"""Which agent answers: the one that is called, the one chosen, or the one the rules name."""

import re
from collections.abc import Sequence

from sympozium.chat.routing import agent_for
from sympozium.contract.channel import ChannelSpec
from sympozium.contract.messages import InboundMessage
from sympozium.store.ports import Talk

_CALL = re.compile(r"\s*@([A-Za-z0-9][A-Za-z0-9.-]{0,62})(?:[\s,:]+|$)")


def agents_of(spec: ChannelSpec) -> list[str]:
    """Return every agent behind a channel, its own first."""
    names = [spec.agent_ref, *(route.agent_ref for route in spec.routes), *spec.agents]
    return list(dict.fromkeys(names))


def who_answers(inbound: InboundMessage, spec: ChannelSpec, talk: Talk) -> str:
    """Return the name of the Agent that answers *inbound*.

    `@name` at the beginning calls one of the channel's agents for this message; else
    the one chosen for the conversation answers; else the channel's routes say.
    """
    agents = agents_of(spec)
    called = _called(inbound.text, agents)
    if called:
        return called
    if talk.agent in agents:
        return talk.agent
    return agent_for(inbound.place, inbound.sender, spec.routes, spec.agent_ref)


def without_call(text: str, agent: str) -> str:
    """Return *text* without the `@agent` that it begins with, unless nothing were left."""
    match = _CALL.match(text)
    if match is None or match[1].lower() != agent:
        return text
    return text[match.end() :] or text


def _called(text: str, agents: Sequence[str]) -> str:
    match = _CALL.match(text)
    name = match[1].lower() if match else ""
    return name if name in agents else ""
