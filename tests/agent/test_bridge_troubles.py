"""A bridge that is flooded, late, killed at any step, or without a bus when the run ends."""

import asyncio
import signal

import pytest

from sympozium.contract.envelope import encode
from sympozium.contract.names import MessageId
from sympozium.contract.run_events import Absorbed, Progress, Result, Started
from sympozium.runtime.sync_points import Point
from sympozium_agent.recorder import MAX_STEPS_RECORDED
from sympozium_local.demo_model.script import Behaviour
from tests.agent.pod import Pod, Process, exited, terminated
from tests.agent.test_steering import FIRST
from tests.fixtures.tcp_proxy import Way, tcp_proxy

pytestmark = pytest.mark.timeout(60)
LINES = 10_000
STEPS = [Point(point) for point in Point if point.value.startswith("bridge.")]


def written(pod: Pod, *lines: bytes) -> None:
    """Write lines into the agent's journal, all at once."""
    with pod.layout.from_agent.open("ab") as journal:
        journal.write(b"".join(line + b"\n" for line in lines))


def step(number: int) -> Progress:
    return Progress(call_id=str(number), tool="pods", state="started")


async def test_ten_thousand_lines_at_once_are_recorded_in_order_and_none_hides_the_result(
    pod: Pod,
) -> None:
    bridge = pod.start("bridge")
    written(
        pod,
        *(encode(step(number)) for number in range(MAX_STEPS_RECORDED)),
        *(b'{"type":"delta","text":"x","offset":%d}' % offset for offset in range(LINES)),
        encode(Result(text="done")),
    )
    assert await pod.end() == Result(text="done")
    assert await terminated(bridge) == 0
    steps = [step(number) for number in range(MAX_STEPS_RECORDED)]
    assert await pod.recorded() == [*steps, Result(text="done")]


async def test_a_result_that_was_there_before_anybody_looked_is_recorded(pod: Pod) -> None:
    written(pod, encode(Started()), encode(Result(text="at once")))
    bridge = pod.start("bridge")
    assert await pod.end() == Result(text="at once")
    assert await pod.ends_recorded(bridge) == [Result(text="at once")]


@pytest.mark.parametrize("way", Way)
async def test_a_result_waits_for_a_bus_that_is_cut_off_in_one_direction(
    pod: Pod, way: Way
) -> None:
    async with tcp_proxy(pod.nats.port) as proxy:
        pod.environment["SYMPOZIUM_NATS_URL"] = f"nats://127.0.0.1:{proxy.port}"
        bridge = pod.start("bridge")
        await pod.until_serving()
        await pod.until_listening()
        proxy.hold(way)
        written(pod, encode(Result(text="late")))
        await said_in_log(pod, "bus takes nothing yet")
        proxy.mend()
        assert await pod.ends_recorded(bridge) == [Result(text="late")]


async def said_in_log(pod: Pod, words: str) -> None:
    """Return when the bridge has logged these words."""
    while words not in pod.log_of("bridge"):  # noqa: ASYNC110 - the other side has no event
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("point", STEPS, ids=[point.value for point in STEPS])
async def test_a_bridge_that_is_killed_at_this_step_loses_nothing_and_doubles_nothing(
    pod: Pod, point: Point
) -> None:
    pod.environment |= {
        "SYMPOZIUM_CRASH_AT": point.value,
        "SYMPOZIUM_CRASH_MARKER": str(pod.folder / "died"),
    }
    pod.model.script.replace(
        Behaviour(match="hello", answer="one two three four", delay_s=0.2),
        Behaviour(match="also this", answer="and that"),
    )
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(kept_running(pod))
        await pod.until_listening()
        await pod.steer(FIRST, "also this")
        await pod.send_until_told((FIRST, "also this"))
        agent = pod.start("agent")
        end = await pod.end()
        assert await exited(agent) == 0
        bridge = await keeping
    assert isinstance(end, Result)
    assert end.text == "and that"
    assert await pod.ends_recorded(bridge) == [end]
    assert await pod.recorded() == [Started(), Absorbed(message_id=MessageId(FIRST)), end]


async def kept_running(pod: Pod) -> Process:
    """Run the bridge, and once more when it was killed, as the kubelet does; return the second.

    A kubelet does so only while the agent is there.
    """
    assert await exited(pod.start("bridge")) == -signal.SIGKILL
    assert not pod.has_ended("agent")
    return pod.start("bridge")
