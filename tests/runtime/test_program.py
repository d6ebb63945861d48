import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from sympozium.contract.errors import PermanentError
from sympozium.runtime.loops import run_until_stopped
from sympozium.runtime.program import EXIT_CONFIGURATION, run_program


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Give the process' logs back to the tests: a program takes them."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


async def refuse() -> None:
    raise PermanentError("cannot start: PORT is not set; set it")


async def refuse_in_a_task() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(refuse())


@pytest.mark.parametrize("main", [refuse, refuse_in_a_task])
def test_what_a_person_must_mend_is_the_last_line_and_has_its_own_exit_code(
    main: object, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_program("program", main)  # type: ignore[arg-type] # both are such functions
    assert ended.value.code == EXIT_CONFIGURATION
    assert capsys.readouterr().err.splitlines()[-1] == (
        "program: cannot start: PORT is not set; set it"
    )


async def fail() -> None:
    raise ZeroDivisionError


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_program("program", fail)


async def be_busy(stop: asyncio.Event) -> None:
    await stop.wait()
    await asyncio.sleep(3600)


async def end_with_work_in_hand() -> None:
    stop = asyncio.Event()
    stop.set()
    await run_until_stopped(be_busy, stop=stop, drain_s=0.01)


def test_work_that_is_in_hand_at_the_end_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_program("program", end_with_work_in_hand)
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["cause"] == "be_busy: not done after 0.01 s"
