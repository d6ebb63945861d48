"""A run whose files take all the room there is, on a volume of its own in memory."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sympozium.contract.envelope import encode
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import Failure, Result
from sympozium_agent.fullness import is_full
from sympozium_local.demo_model.script import Behaviour
from tests.agent.pod import Pod, exited, killed, terminated
from tests.agent.test_bridge_troubles import written
from tests.fixtures.small_disk import small_disk

Take = Callable[[Path], None]


@pytest.fixture
def small(pod: Pod) -> Iterator[Pod]:
    """The pod with a volume that has little room."""
    pod.layout.root.rmdir()
    with small_disk(pod.layout.root, "1m,nr_inodes=64") as disk:
        pod.runner, pod.volume = disk.runner, disk.outside
        yield pod
        pod.kill_all()


def fill(volume: Path) -> None:
    """Write until there is no room left."""
    with (volume / "flood").open("ab", buffering=0) as flood, suppress(OSError):
        while True:
            flood.write(bytes(4096))


def litter(volume: Path) -> None:
    """Make files until there may be no more."""
    with suppress(OSError):
        for number in range(10_000):
            (volume / f"litter-{number}").touch()


async def reason_of(pod: Pod) -> str:
    """Return why a run ends without an answer."""
    end = await pod.end()
    assert isinstance(end, Failure)
    return end.reason


@pytest.mark.parametrize("take", [fill, litter])
def test_a_volume_is_full_without_room_or_without_names(small: Pod, take: Take) -> None:
    assert not is_full(small.layout.root)
    take(small.layout.root)
    assert is_full(small.layout.root)


@pytest.mark.parametrize("take", [fill, litter])
async def test_a_run_that_fills_its_volume_ends_with_that_reason(small: Pod, take: Take) -> None:
    small.model.script.replace(Behaviour(answer="word " * 600, delay_s=0.1))
    small.start("bridge")
    agent = small.start("agent")
    await small.until_listening()
    take(small.layout.root)
    assert await reason_of(small) == Reason.VOLUME_FULL
    agent.kill()


async def test_a_run_that_nobody_can_be_told_of_ends_with_it_too(small: Pod) -> None:
    fill(small.layout.root)
    small.start("bridge")
    assert await reason_of(small) == Reason.VOLUME_FULL


async def test_an_agent_that_died_of_it_is_not_said_to_have_crashed(small: Pod) -> None:
    bridge = small.start("bridge")
    await small.until_listening()
    fill(small.layout.root)
    assert await terminated(bridge) == 0
    assert await reason_of(small) == Reason.VOLUME_FULL


async def test_a_bridge_that_is_killed_over_it_says_it_once(small: Pod) -> None:
    bridge = small.start("bridge")
    await small.until_listening()
    fill(small.layout.root)
    await small.end()
    await killed(bridge)
    assert len(await small.ends_recorded(small.start("bridge"))) == 1


async def test_an_answer_that_was_there_before_stands(small: Pod) -> None:
    bridge = small.start("bridge")
    await small.until_listening()
    written(small, encode(Result(text="done")))
    assert await small.end() == Result(text="done")
    fill(small.layout.root)
    assert await small.ends_recorded(bridge) == [Result(text="done")]
    assert await exited(bridge) == 0
