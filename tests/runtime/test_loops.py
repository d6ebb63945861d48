import asyncio

import pytest

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.runtime.loops import (
    LoopEndedEarlyError,
    StillBusyError,
    run_until_stopped,
    until_there,
)


async def patient(stop: asyncio.Event) -> None:
    await stop.wait()


async def stuck(stop: asyncio.Event) -> None:
    await stop.wait()
    await asyncio.sleep(3600)


async def hasty(stop: asyncio.Event) -> None:
    await asyncio.sleep(0)


async def test_loops_end_when_they_are_told_to() -> None:
    stop = asyncio.Event()
    stop.set()
    await run_until_stopped(patient, patient, stop=stop, drain_s=1)


async def test_a_loop_that_ends_by_itself_is_a_bug_and_ends_the_others() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await run_until_stopped(patient, hasty, stop=asyncio.Event(), drain_s=1)
    assert caught.group_contains(LoopEndedEarlyError, match="hasty")


@pytest.mark.looptime
async def test_a_stuck_loop_is_cancelled_at_the_drain_deadline(looptime: float) -> None:
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(StillBusyError, match=r"^stuck: not done after 5 s$"):
        await run_until_stopped(patient, stuck, stop=stop, drain_s=5)
    assert looptime == 5


@pytest.mark.looptime
async def test_a_step_is_done_again_until_what_it_needs_is_there(looptime: float) -> None:
    answers: list[Exception | str] = [TransientError("away"), TransientError("locked"), "here"]
    causes: list[str] = []

    async def step() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    found = await until_there(step, retry_s=0.5, told=lambda error: causes.append(str(error)))
    assert (found, causes, looptime) == ("here", ["away", "locked"], 1)


async def test_a_step_that_a_person_must_help_is_not_done_again() -> None:
    async def step() -> None:
        raise PermanentError("no such stream")

    with pytest.raises(PermanentError, match="no such stream"):
        await until_there(step, retry_s=0.5, told=lambda _: pytest.fail("it will never be there"))
