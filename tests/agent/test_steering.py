"""Messages that come while the agent works: taken in once, or honestly not."""

from sympozium.contract.envelope import encode
from sympozium.contract.names import MessageId
from sympozium.contract.run_events import Absorbed, Delta, Progress, Result, Started, Steering
from sympozium_agent.journal import JournalWriter
from sympozium_agent.loop import CUT_SHORT
from sympozium_agent.recorder import MAX_STEPS_RECORDED
from sympozium_local.demo_model.script import Behaviour
from tests.agent.pod import RUN_UID, Pod, exited, killed, terminated

FIRST, LATER = "slack:T:C:1", "slack:T:C:2"
ABSORBED_FIRST = Absorbed(message_id=MessageId(FIRST))


def answers(*, slow: str = "one two three four") -> tuple[Behaviour, ...]:
    return (
        Behaviour(match="hello", answer=slow, delay_s=0.1),
        Behaviour(match="also this", answer="and that"),
    )


async def test_a_message_that_comes_during_the_answer_is_answered_after_it(pod: Pod) -> None:
    pod.model.script.replace(*answers())
    async with pod.live_events() as events:
        bridge, agent = pod.start("bridge"), pod.start("agent")
        assert isinstance(await anext(events), Started)
        assert isinstance(await anext(events), Delta)
        await pod.steer(FIRST, "also this")
        shown = "one"
        while not shown.endswith("and that"):
            event = await anext(events)
            if isinstance(event, Delta):
                shown = shown[: event.offset] + event.text
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == shown == "one two three four\n\nand that"
    assert await exited(agent) == 0
    assert await terminated(bridge) == 0
    assert await pod.recorded() == [Started(), ABSORBED_FIRST, end]


async def test_a_message_that_came_before_the_task_was_asked_for_is_answered_with_it(
    pod: Pod,
) -> None:
    pod.steered = [Steering(message_id=MessageId(FIRST), text="also this")]
    pod.model.script.replace(*answers())
    pod.start("bridge")
    pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == "and that"
    assert pod.model.script.total == 1
    assert await pod.recorded() == [Started(), ABSORBED_FIRST, end]


async def test_a_message_handed_over_in_every_way_is_taken_in_once(pod: Pod) -> None:
    pod.steered = [Steering(message_id=MessageId(FIRST), text="also this")]
    bridge = pod.start("bridge")
    await pod.until_listening()
    await pod.steer(FIRST, "also this")
    await pod.send_until_told((FIRST, "also this"), (LATER, "the last word"))
    pod.start("agent")
    await pod.end()
    assert await terminated(bridge) == 0
    absorbed = [event for event in await pod.recorded() if isinstance(event, Absorbed)]
    assert absorbed == [ABSORBED_FIRST, Absorbed(message_id=MessageId(LATER))]


async def test_an_answer_that_is_there_is_not_lost_with_the_one_to_a_later_message(
    pod: Pod,
) -> None:
    pod.model.script.replace(
        Behaviour(match="hello", answer="one two three four", delay_s=0.1),
        Behaviour(match="also this", status=400),
    )
    async with pod.live_events() as events:
        bridge = pod.start("bridge")
        pod.start("agent")
        while not isinstance(await anext(events), Delta):
            pass
        await pod.steer(FIRST, "also this")
        end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == f"one two three four\n\n{CUT_SHORT}"
    assert await terminated(bridge) == 0
    assert await pod.recorded() == [Started(), ABSORBED_FIRST, end]


async def test_a_message_that_comes_after_the_result_is_not_taken_in(pod: Pod) -> None:
    bridge, agent = pod.start("bridge"), pod.start("agent")
    end = await pod.end()
    assert await exited(agent) == 0
    await pod.steer(FIRST, "also this")
    assert await terminated(bridge) == 0
    assert await pod.recorded() == [Started(), end]


async def test_a_bridge_that_was_killed_does_not_hand_a_message_over_again(pod: Pod) -> None:
    first = pod.start("bridge")
    await pod.until_listening()
    await pod.send_until_told((FIRST, "also this"))
    await killed(first)
    second = pod.start("bridge")
    await pod.send_until_told((FIRST, "also this"), (LATER, "the last word"))
    assert pod.layout.to_agent.read_bytes().count(FIRST.encode()) == 1
    pod.start("agent")
    end = await pod.end()
    assert await terminated(second) == 0
    absorbed_later = Absorbed(message_id=MessageId(LATER))
    assert await pod.recorded() == [Started(), ABSORBED_FIRST, absorbed_later, end]


async def test_a_line_that_a_killed_bridge_tore_is_passed_over(pod: Pod) -> None:
    bridge = pod.start("bridge")
    await pod.until_listening()
    await pod.send_until_told((LATER, "the last word"))
    await killed(bridge)
    with pod.layout.to_agent.open("ab") as journal:
        journal.write(b'{"messageId":"slack:T:C:1","te')
    bridge = pod.start("bridge")
    agent = pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Result)
    assert await exited(agent) == 0
    assert await terminated(bridge) == 0
    assert await pod.recorded() == [Started(), Absorbed(message_id=MessageId(LATER)), end]


async def test_nobody_takes_in_what_was_never_handed_over(pod: Pod) -> None:
    bridge = pod.start("bridge")
    await pod.until_listening()
    journal = JournalWriter(pod.layout.from_agent)
    journal.append(encode(ABSORBED_FIRST))
    journal.append(encode(Result(text="mine")))
    end = await pod.end()
    assert await terminated(bridge) == 0
    assert await pod.recorded() == [end]
    journal.close()


async def test_a_message_is_taken_in_however_much_the_run_said_before(pod: Pod) -> None:
    pod.steered = [Steering(message_id=MessageId(FIRST), text="also this")]
    bridge = pod.start("bridge")
    await pod.until_listening()
    journal = JournalWriter(pod.layout.from_agent)
    for number in range(MAX_STEPS_RECORDED + 10):
        step = Progress(call_id=f"{RUN_UID}/{number}", tool="x", state="started")
        journal.append(encode(step))
    journal.append(encode(ABSORBED_FIRST))
    journal.append(encode(Result(text="done")))
    await pod.end()
    assert await terminated(bridge) == 0
    recorded = await pod.recorded()
    assert recorded[-2] == ABSORBED_FIRST
    assert len(recorded) == MAX_STEPS_RECORDED + 2
    journal.close()
