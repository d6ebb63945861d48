"""When a container counts as started, asked at real sockets."""

import asyncio
import socket
from typing import Any

import pytest

from sympozium_local.kubelet.probes import ProbeTarget, has_started
from tests.fixtures.nats_server import free_port


class Target(ProbeTarget):
    """A container whose commands fail, and whose port is this machine's; both are counted."""

    def __init__(self) -> None:
        super().__init__(self._dial, self._run, {})
        self.own_port = free_port()
        self.dialled = 0
        self.ran = 0

    async def _dial(self, port: int) -> socket.socket:
        self.dialled += 1
        return socket.create_connection(("127.0.0.1", port))

    async def _run(self, argv: list[str], output: int) -> int:
        self.ran += 1
        return 1


def probe(target: Target, **config: Any) -> dict[str, Any]:
    return {"tcpSocket": {"port": target.own_port}, **config}


async def test_a_start_is_noticed_long_before_the_next_period() -> None:
    target = Target()

    async def begin() -> None:
        while target.dialled < 2:  # noqa: ASYNC110 - asking has no event
            await asyncio.sleep(0.01)
        server = await asyncio.start_server(
            lambda _, writer: writer.close(), "127.0.0.1", target.own_port
        )
        async with server:
            assert await asked == ""

    async with asyncio.TaskGroup() as group:
        asked = group.create_task(has_started(probe(target, periodSeconds=3600), target))
        group.create_task(begin())


@pytest.mark.looptime
async def test_only_what_is_asked_when_a_period_is_over_counts_against_a_start() -> None:
    target = Target()
    config = probe(target, periodSeconds=1, failureThreshold=3)
    assert "refused" in await has_started(config, target)
    assert target.dialled > 3


@pytest.mark.looptime
async def test_a_command_is_run_once_a_period() -> None:
    target = Target()
    config = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 2}
    assert "exited with 1" in await has_started(config, target)
    assert target.ran == 2
