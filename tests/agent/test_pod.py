"""The containers of a pod together, as real processes."""

import asyncio
import signal

import msgspec

from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import (
    ContextAnswer,
    Delta,
    Failure,
    ModelAccess,
    Result,
    Started,
)
from sympozium_agent.recorder import MAX_STEPS_RECORDED
from sympozium_local.demo_model.script import Behaviour
from tests.agent.pod import KEY, Pod, exited, killed, terminated

STAYS_S = 0.5
"""Many times what an agent takes to end."""


async def test_a_task_becomes_a_result_on_the_bus_and_live_text_before_it(pod: Pod) -> None:
    pod.model.script.replace(Behaviour(answer="one two three four", delay_s=0.05))
    async with pod.live_events() as events:
        bridge, agent = pod.start("bridge"), pod.start("agent")
        assert isinstance(await anext(events), Started)
        text = ""
        while text != "one two three four":
            delta = await anext(events)
            assert isinstance(delta, Delta)
            assert delta.offset == len(text)
            text += delta.text
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == "one two three four"
    assert end.usage.output_tokens == 4
    assert await exited(agent) == 0
    assert await pod.ends_recorded(bridge) == [end]
    assert await pod.recorded() == [Started(), end]


async def test_no_container_logs_the_key_the_task_or_the_answer(pod: Pod) -> None:
    pod.task = "a very private question"
    pod.environment["SYMPOZIUM_LOG_LEVEL"] = "DEBUG"
    pod.model.script.replace(Behaviour(answer="a very private answer"))
    bridge, agent = pod.start("bridge"), pod.start("agent")
    await pod.end()
    await exited(agent)
    await terminated(bridge)
    logs = pod.log_of("bridge") + pod.log_of("agent")
    assert "run's end is recorded" in logs
    assert [word for word in ("private", KEY) if word in logs] == []


async def test_the_agent_is_briefed_when_the_router_has_the_context_at_last(pod: Pod) -> None:
    pod.answer = ContextAnswer(error="the run is not stored yet", retry=True)
    bridge = pod.start("bridge")
    while pod.asked_for_context < 3:
        await pod.bus.client.flush()
    pod.answer = None
    pod.start("agent")
    assert isinstance(await pod.end(), Result)
    assert await terminated(bridge) == 0


async def test_a_context_that_is_refused_is_one_failure_and_ends_the_agent(pod: Pod) -> None:
    pod.answer = ContextAnswer(error="there is no such run")
    bridge, agent = pod.start("bridge"), pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Failure)
    assert end.reason == Reason.CONTEXT_UNAVAILABLE
    assert "there is no such run" in end.detail
    assert await exited(agent) == 0
    assert await pod.ends_recorded(bridge) == [end]


async def test_the_router_may_say_with_which_reason_a_run_ends(pod: Pod) -> None:
    pod.answer = ContextAnswer(error="an earlier pod had called a tool", reason=Reason.EVICTED)
    bridge, agent = pod.start("bridge"), pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Failure)
    assert end.reason == Reason.EVICTED
    assert await exited(agent) == 0
    assert await pod.ends_recorded(bridge) == [end]


async def test_nothing_is_doubled_when_the_bridge_is_killed_between_publishing_and_noting_it(
    pod: Pod,
) -> None:
    bridge, agent = pod.start("bridge"), pod.start("agent")
    end = await pod.end()
    assert await exited(agent) == 0
    await killed(bridge)
    pod.layout.recorded.unlink(missing_ok=True)
    asked = pod.asked_for_context  # more than once, where the answer took long
    again = pod.start("bridge")
    assert await pod.ends_recorded(again) == [end]
    assert await pod.recorded() == [Started(), end]
    assert pod.asked_for_context == asked


async def test_a_result_written_while_the_bus_is_away_is_published_by_the_next_bridge(
    pod: Pod,
) -> None:
    pod.model.script.replace(Behaviour(answer="late", delay_s=1.0))
    async with pod.live_events() as events:
        bridge, agent = pod.start("bridge"), pod.start("agent")
        assert isinstance(await anext(events), Started)
    pod.nats.kill()
    await pod.until_answered()
    await killed(bridge)
    await pod.nats.start()
    again = pod.start("bridge")
    end = await pod.end()
    assert isinstance(end, Result)
    assert await exited(agent) == 0
    assert await pod.ends_recorded(again) == [end]


async def test_an_agent_stays_until_its_end_is_recorded(pod: Pod) -> None:
    pod.environment |= {
        "SYMPOZIUM_CRASH_AT": "bridge.before-end",
        "SYMPOZIUM_CRASH_MARKER": str(pod.folder / "died"),
    }
    bridge, agent = pod.start("bridge"), pod.start("agent")
    assert await exited(bridge) == -signal.SIGKILL
    await asyncio.sleep(STAYS_S)
    assert not pod.has_ended("agent")
    pod.start("bridge")
    assert isinstance(await pod.end(), Result)
    assert await exited(agent) == 0


async def test_a_bridge_told_to_end_waits_for_the_bus_to_take_the_result(pod: Pod) -> None:
    pod.model.script.replace(Behaviour(answer="late", delay_s=1.0))
    async with pod.live_events() as events:
        bridge, agent = pod.start("bridge"), pod.start("agent")
        assert isinstance(await anext(events), Started)
    pod.nats.kill()
    await pod.until_answered()
    assert await terminated(agent) == 0
    bridge.terminate()
    await pod.nats.start()
    assert await exited(bridge) == 0
    ends = [event for event in await pod.recorded() if isinstance(event, Result)]
    assert [end.text for end in ends] == ["late"]


async def test_a_model_call_is_repeated_when_the_bridge_is_killed_in_the_middle_of_it(
    pod: Pod,
) -> None:
    text = " ".join(str(number) for number in range(20))
    pod.model.script.replace(Behaviour(answer=text, delay_s=0.05))
    async with pod.live_events() as events:
        bridge, agent = pod.start("bridge"), pod.start("agent")
        while not (isinstance(event := await anext(events), Delta) and event.offset > 0):
            pass
        await killed(bridge)
        again = pod.start("bridge")
        while not (isinstance(event := await anext(events), Delta) and event.offset == 0):
            pass
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.text == text
    assert await exited(agent) == 0
    assert pod.model.script.total == 2
    assert await pod.ends_recorded(again) == [end]


async def test_a_second_pod_of_the_same_run_may_record_its_lines_too(pod: Pod) -> None:
    first, agent = pod.start("bridge"), pod.start("agent")
    await pod.end()
    await exited(agent)
    await terminated(first)
    for path in pod.layout.root.iterdir():
        path.unlink()
    pod.environment["SYMPOZIUM_POD_UID"] = "pod-2"
    second, agent = pod.start("bridge"), pod.start("agent")
    await exited(agent)
    assert len(await pod.ends_recorded(second)) == 2


async def test_any_program_can_take_part_with_lines_of_text(pod: Pod) -> None:
    bridge = pod.start("bridge")
    with pod.layout.from_agent.open("ab", buffering=0) as journal:
        journal.write(b'not json\n{"type":"unknown"}\n\n{"type":"started"}\n{"type":"res')
        journal.write(b'ult","text":"by hand"}\n{"type":"result","text":"too late"}\n')
    end = await pod.end()
    assert end == Result(text="by hand")
    assert await pod.ends_recorded(bridge) == [end]
    assert pod.log_of("bridge").count("journal line refused") == 2  # at the first and the second


async def test_a_run_gone_wild_cannot_fill_the_stream_and_still_ends(pod: Pod) -> None:
    bridge = pod.start("bridge")
    with pod.layout.from_agent.open("ab") as journal:
        journal.write(
            b'{"type":"progress","callId":"1","tool":"' + b"x" * 70000 + b'","state":""}\n'
        )
        journal.write(b'{"type":"started"}\n' * (MAX_STEPS_RECORDED + 5))
        journal.write(b'{"type":"result","text":"done"}\n')
    assert await pod.end() == Result(text="done")
    assert await terminated(bridge) == 0
    assert len(await pod.recorded()) == MAX_STEPS_RECORDED + 1


async def test_a_line_without_end_is_one_clear_failure(pod: Pod) -> None:
    bridge = pod.start("bridge")
    with pod.layout.from_agent.open("ab") as journal:
        journal.write(b"x" * (3 * 1024 * 1024) + b"\n")
    end = await pod.end()
    assert isinstance(end, Failure)
    assert end.reason == Reason.RESULT_TOO_LARGE
    assert await pod.ends_recorded(bridge) == [end]


async def test_a_link_in_place_of_the_journal_is_refused(pod: Pod) -> None:
    secret = pod.folder / "secret"
    secret.write_bytes(b'{"type":"result","text":"what the bridge can read"}\n')
    pod.layout.from_agent.symlink_to(secret)
    bridge = pod.start("bridge")
    end = await pod.end()
    assert isinstance(end, Failure)
    assert end.reason == Reason.INTERNAL
    assert await pod.ends_recorded(bridge) == [end]


async def test_settings_that_are_missing_are_all_named_at_once(pod: Pod) -> None:
    pod.environment |= {"SYMPOZIUM_NATS_URL": "", "SYMPOZIUM_MODEL": ""}
    assert await exited(pod.start("bridge")) == 78
    last_line = pod.log_of("bridge").splitlines()[-1]
    assert "SYMPOZIUM_NATS_URL" in last_line
    assert "SYMPOZIUM_MODEL is" in last_line


async def test_a_bridge_without_a_bus_and_with_nothing_to_say_ends_when_it_is_told_to(
    pod: Pod,
) -> None:
    pod.nats.kill()
    bridge = pod.start("bridge")
    await pod.until_serving()
    assert await terminated(bridge) == 0


async def test_a_provider_that_the_agent_does_not_speak_is_a_clear_failure(pod: Pod) -> None:
    other = msgspec.structs.replace(
        pod.context, model=ModelAccess(provider="other", model="demo"), skills=[]
    )
    pod.answer = ContextAnswer(context=other)
    pod.start("bridge")
    agent = pod.start("agent")
    end = await pod.end()
    assert isinstance(end, Failure)
    assert end.reason == Reason.CONFIGURATION
    assert "provider 'other'" in end.detail
    assert await exited(agent) == 0


async def test_an_agent_told_to_end_ends_at_once(pod: Pod) -> None:
    pod.model.script.replace(Behaviour(fault="hang"))
    async with pod.live_events() as events:
        pod.start("bridge")
        agent = pod.start("agent")
        assert isinstance(await anext(events), Started)
    assert await terminated(agent) == 128 + signal.SIGTERM
