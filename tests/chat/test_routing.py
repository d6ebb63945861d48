"""The most specific route that fits decides who answers."""

import pytest

from sympozium.chat.routing import agent_for
from sympozium.contract.channel import Route
from sympozium.contract.messages import Place, Sender

ROUTES = [
    Route(agent_ref="for-ann", user="U1"),
    Route(agent_ref="for-ops", chat="C1"),
    Route(agent_ref="for-ann-in-ops", chat="C1", user="U1"),
    Route(agent_ref="for-incident", chat="C1", thread="T1"),
    Route(agent_ref="for-ops-too", chat="C1"),
]


@pytest.mark.parametrize(
    ("chat", "thread", "user", "agent"),
    [
        ("C1", "T1", "U1", "for-incident"),
        ("C1", "T1", "U2", "for-incident"),
        ("C1", "T2", "U2", "for-ops"),
        ("C1", "", "U1", "for-ann-in-ops"),
        ("C2", "T1", "U1", "for-ann"),
        ("C2", "T1", "U2", "helper"),
    ],
)
def test_thread_beats_chat_beats_user_beats_default(
    chat: str, thread: str, user: str, agent: str
) -> None:
    sender = Sender(platform="slack", user_id=user)
    assert agent_for(Place(chat=chat, thread=thread), sender, ROUTES, "helper") == agent


def test_a_route_without_conditions_takes_what_no_other_fits() -> None:
    routes = [Route(agent_ref="rest"), Route(agent_ref="for-ann", user="U1")]
    ann, bob = (Sender(platform="slack", user_id=user) for user in ("U1", "U2"))
    assert agent_for(Place(chat="C1"), ann, routes, "helper") == "for-ann"
    assert agent_for(Place(chat="C1"), bob, routes, "helper") == "rest"
