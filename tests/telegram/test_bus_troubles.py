"""The bus is away: what Telegram is asked meanwhile, and what it has confirmed."""

from pathlib import Path

import pytest

from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage
from tests.fixtures.behind import behind_a_proxy
from tests.fixtures.tcp_proxy import Way
from tests.platforms.telegram.driver import TelegramDriver
from tests.router.routed import until

pytestmark = pytest.mark.timeout(90)
PRIVATE = Where(Spot.DIRECT, "mine")


async def polling_has_ended(stage: Stage) -> None:
    """Return when the program has let go of its claim to poll, which it cannot prolong."""

    async def is_said() -> bool:
        return "stop_polling" in stage.program.log

    await until(is_said)


async def test_no_update_is_confirmed_while_the_bus_is_away_and_polling_ends(
    polling: Stage, driver: TelegramDriver
) -> None:
    await polling.asks("ada", PRIVATE, "before")
    polling.nats.kill()
    said = [await driver.says("ada", PRIVATE, str(number)) for number in range(3)]
    await polling_has_ended(polling)
    assert not set(said) & set(driver.counts.accepted)
    assert len(driver.world.waiting) >= len(said)
    await polling.nats.start()
    assert [(await polling.heard(PRIVATE)).text for _ in said] == ["0", "1", "2"]


@pytest.mark.parametrize("way", Way)
async def test_no_update_is_confirmed_while_the_bus_is_cut_off_in_one_direction(
    polling: Stage, driver: TelegramDriver, tmp_path: Path, way: Way
) -> None:
    async with behind_a_proxy(polling, tmp_path) as proxy:
        await polling.asks("ada", PRIVATE, "before")
        proxy.hold(way)
        said = await driver.says("ada", PRIVATE, "one way")
        await polling_has_ended(polling)
        assert said not in driver.counts.accepted
        proxy.mend()
        assert (await polling.heard(PRIVATE)).text == "one way"
        _, barrier = await polling.asks("ada", PRIVATE, "barrier")
    assert barrier.text == "barrier"
