"""A run whose last word the controller gives up has an end all the same, with the true reason."""

import pytest

from sympozium.bus import settle as settling
from sympozium.bus.nats import NatsBus
from sympozium.contract.agentrun import AgentRunStatus
from sympozium.contract.names import RunUid
from sympozium.contract.run_events import Result
from sympozium.contract.subjects import RUNS, dead, run_out
from sympozium_controller.runs import status as statuses
from sympozium_controller.runs.status import Facts
from sympozium_controller.settings import Settings
from tests.controller.cluster import NAMESPACE, Cluster, controller, say
from tests.dead.letters import STUMBLE, letters_under
from tests.router.routed import until

write_answer = statuses._succeeded


def stumble(facts: Facts, result: Result, sequence: int) -> AgentRunStatus:
    """Have a bug with one answer."""
    if result.text == STUMBLE:
        raise ZeroDivisionError
    return write_answer(facts, result, sequence)


async def test_a_run_whose_answer_is_given_up_fails_at_once_and_names_the_dead_letter(
    cluster: Cluster, settings: Settings, bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statuses, "_succeeded", stumble)
    monkeypatch.setattr(settling, "FIRST_RETRY_S", 0.01)
    async with controller(cluster, settings):
        await cluster.create_agent()
        run = await cluster.create_run("r1")
        await cluster.job("r1")
        await say(bus, run, Result(text=STUMBLE))
        ended = await cluster.ended("r1")
        uid = RunUid(run["metadata"]["uid"])
        kept = await letters_after(bus, uid)
        other = await cluster.create_run("r2")
        await cluster.job("r2")
        await say(bus, other, Result(text="hi"))
        answered = await cluster.ended("r2")
    assert (ended["phase"], ended["error"]["reason"]) == ("Failed", "Internal")
    (condition,) = ended["conditions"]
    assert (condition["type"], condition["reason"]) == ("Failed", "Internal")
    where = f"dead list --stream RUNS --namespace {NAMESPACE} --name {uid}"
    assert [text for text in ("ZeroDivisionError", where) if text not in condition["message"]] == []
    assert (len(kept), answered["result"]) == (1, "hi")


async def test_what_is_no_run_event_is_given_up_and_ends_no_run(
    cluster: Cluster, settings: Settings, bus: NatsBus
) -> None:
    async with controller(cluster, settings):
        await cluster.create_agent()
        run = await cluster.create_run("r1")
        await cluster.job("r1")
        uid = RunUid(run["metadata"]["uid"])
        await bus.publish(run_out(NAMESPACE, uid), b"{", message_id="broken")
        kept = await letters_after(bus, uid)
        await say(bus, run, Result(text="hi"))
        ended = await cluster.ended("r1")
    assert (len(kept), ended["result"]) == (1, "hi")


async def letters_after(bus: NatsBus, uid: RunUid) -> list[object]:
    """Wait for a dead letter of a run, and return all of them."""
    under = dead(RUNS, NAMESPACE, uid)
    await until(lambda: letters_under(bus, under))
    return list(await letters_under(bus, under))
