"""The bus is away or cut off: Discord brings nothing again by itself, so the channel keeps it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sympozium.testing.channels.stage import Stage
from tests.discord.running import Running
from tests.fixtures.behind import behind_a_proxy
from tests.fixtures.tcp_proxy import TcpProxy
from tests.router.routed import until
from tests.router.test_partitions import CUTS

pytestmark = pytest.mark.timeout(90)


async def not_stored(stage: Stage) -> None:
    """Return when the program says that it could not store something."""

    async def is_said() -> bool:
        return "event not stored" in stage.program.log

    await until(is_said)


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
async def test_what_is_written_while_the_bus_is_cut_off_is_heard_once_when_it_is_back(
    here: Running, tmp_path: Path, cut: Callable[[TcpProxy], None]
) -> None:
    stage = here.stage
    where = stage.somewhere()
    async with behind_a_proxy(stage, tmp_path) as proxy:
        await stage.asks("ada", where, "before")
        cut(proxy)
        for number in range(3):
            await here.discord.says("ada", where, str(number), mention=True)
        await not_stored(stage)
        proxy.mend()
        assert [(await stage.heard(where)).text for _ in range(3)] == ["0", "1", "2"]
        _, barrier = await stage.asks("ada", where, "barrier")
    assert barrier.text == "barrier"
