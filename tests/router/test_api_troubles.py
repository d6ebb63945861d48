"""An API server that refuses, breaks off, or does what was asked without a word."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from sympozium.contract.messages import OutboundKind
from sympozium.contract.resources import AGENT_RUNS
from sympozium.kube import client
from sympozium.kube.client import connect
from tests.fixtures.api_troubles import (
    PASSING,
    ApiTroubles,
    Choice,
    Trouble,
    api_troubles,
    at_random,
)
from tests.fixtures.impatient import ImpatientKube
from tests.router.routed import World

pytestmark = pytest.mark.timeout(90)
OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
CONVERSATIONS = 5


@asynccontextmanager
async def router_behind(
    world: World, choose: Choice, *, patience_s: float = client.REQUEST_TIMEOUT_S
) -> AsyncIterator[ApiTroubles]:
    """Run a router that reaches the API server through its troubles."""
    async with (
        api_troubles(world.api.endpoint, choose) as troubles,
        connect(troubles.endpoint) as patient,
    ):
        kube = ImpatientKube.like(patient)
        kube.patience_s = patience_s
        async with replace(world, kube=kube).router():
            yield troubles


async def test_a_third_of_all_requests_that_fail_cost_nobody_an_answer_and_double_none(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, router_behind(world, at_random(1, 0.3)) as troubles:
        async with asyncio.TaskGroup() as group:
            agents = group.create_task(world.answer_every_run())
            said = [
                await world.say(str(n), str(n), conversation=f"c{n % CONVERSATIONS}")
                for n in range(30)
            ]
            await world.shown.until(lambda shown: all(shown.ends(id_) for id_ in said))
            agents.cancel()
        runs = (await world.kube.list(AGENT_RUNS)).items
    assert all(troubles.met[one] for one in PASSING)
    assert len(runs) == len(said)
    ends = [one for one in world.shown.messages if one.kind is not OutboundKind.ACCEPTED]
    assert sorted(end.text for end in ends) == sorted(f"re: {n}" for n in range(30))
    for start in range(CONVERSATIONS):
        in_order = [end.text for end in ends if end.conversation == f"c{start}"]
        assert in_order == [f"re: {n}" for n in range(start, 30, CONVERSATIONS)]


@pytest.mark.parametrize("trouble", [one for one in Trouble if one is not Trouble.NONE])
async def test_a_run_whose_creation_is_not_confirmed_is_made_once(
    open_world: OpenWorld, trouble: Trouble
) -> None:
    left = [trouble] * len(PASSING)

    def first_creations(method: str, path: str) -> Trouble:
        is_creation = method == "POST" and path.endswith("/agentruns")
        return left.pop() if is_creation and left else Trouble.NONE

    async with open_world() as world, router_behind(world, first_creations, patience_s=2.0):
        message_id = await world.say("1")
        await world.answer(message_id, "hi")
        end = await world.shown.end_of(message_id)
        runs = (await world.kube.list(AGENT_RUNS)).items
    assert len(left) < len(PASSING)  # it is asked for once more, or found to be there
    assert (end.kind, end.text, len(runs)) == (OutboundKind.FINAL, "hi", 1)
