"""What a pod tried in vain, as the kernel counts it, and what a bridge says of it."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sympozium.contract.envelope import encode
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import Blocked, ContextAnswer, Failure, Result
from sympozium_agent.blocked import BlockedConnections
from tests.agent.pod import PATIENCE_S, Pod, terminated
from tests.agent.test_bridge_troubles import written
from tests.fixtures.nats_server import free_port

SNMP = """\
Ip: Forwarding DefaultTTL OutRequests
Ip: 1 64 900
Icmp: InMsgs OutMsgs OutEchos
Icmp: 8 44 {echos}
Tcp: RtoAlgorithm MaxConn ActiveOpens AttemptFails
Tcp: 1 -1 80 {refused}
Udp: InDatagrams NoPorts OutDatagrams
Udp: 7 7 {datagrams}
"""
NETSTAT = "TcpExt: SyncookiesSent TCPSynRetrans TCPOFOQueue\nTcpExt: 5 {unanswered} 5\n"
SNMP6 = "Ip6OutRequests   33\nUdp6OutDatagrams {datagrams6}\nIcmp6OutEchos\t{echos6}\n"
KINDS = ("echos", "refused", "datagrams", "unanswered", "datagrams6", "echos6")


def said(folder: Path, **counts: int) -> None:
    """Have the kernel say these counts, and 100 of every other kind."""
    told = {**dict.fromkeys(KINDS, 100), **counts}
    for name, text in (("snmp", SNMP), ("netstat", NETSTAT), ("snmp6", SNMP6)):
        (folder / name).write_text(text.format(**told))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_attempt_counts_from_when_somebody_began_to_look(
    tmp_path: Path, kind: str
) -> None:
    said(tmp_path)
    blocked = BlockedConnections(tmp_path)
    assert blocked.count() == 0
    said(tmp_path, **{kind: 103})
    assert blocked.count() == 3


def test_a_kernel_that_says_less_is_no_trouble(tmp_path: Path) -> None:
    assert BlockedConnections(tmp_path).count() == 0
    (tmp_path / "snmp").write_text("Tcp: AttemptFails\nTcp:\nUdp:\n")
    blocked = BlockedConnections(tmp_path)
    (tmp_path / "snmp").write_text("Tcp: AttemptFails\nTcp: 2\n")
    assert blocked.count() == 2


def refused() -> None:
    with socket.socket() as tcp:
        assert tcp.connect_ex(("127.0.0.1", free_port())) != 0


def sent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"what it read", ("127.0.0.1", 9))


async def sent_again_and_again() -> None:
    while True:
        sent()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("attempt", [refused, sent])
def test_the_kernel_counts_attempts_of_every_process(attempt: Callable[[], None]) -> None:
    blocked = BlockedConnections()
    before = blocked.count()
    attempt()
    assert blocked.count() > before


async def test_a_runs_end_says_what_was_tried_whatever_the_agent_says(pod: Pod) -> None:
    pod.environment["SYMPOZIUM_COUNT_BLOCKED"] = "yes"
    bridge = pod.start("bridge")
    await pod.until_listening()
    for _ in range(3):
        await asyncio.to_thread(refused)
    written(pod, encode(Result(text="nothing happened", blocked_connections=0)))
    end = await pod.end()
    assert isinstance(end, Result)
    assert end.blocked_connections >= 3
    assert await terminated(bridge) == 0
    assert "connections of this pod came to nothing" in pod.log_of("bridge")


async def test_a_run_without_a_context_says_it_too(pod: Pod) -> None:
    pod.environment["SYMPOZIUM_COUNT_BLOCKED"] = "yes"
    pod.answer = ContextAnswer(error="no such run")
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(sent_again_and_again())
        pod.start("bridge")
        end = await pod.end()
        sending.cancel()
    assert isinstance(end, Failure)
    assert end.reason == Reason.CONTEXT_UNAVAILABLE
    assert end.blocked_connections > 0


async def tried(pod: Pod) -> list[int]:
    """Return what the bridge has said so far, at least once, of a run that goes on."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            said = [one.connections for one in await pod.recorded() if isinstance(one, Blocked)]
            if said:
                return said
            await asyncio.sleep(0.02)


async def test_a_run_that_says_no_end_is_counted_too(pod: Pod) -> None:
    pod.environment["SYMPOZIUM_COUNT_BLOCKED"] = "yes"
    pod.start("bridge")
    await pod.until_listening()
    for _ in range(3):
        await asyncio.to_thread(refused)
    first = await tried(pod)
    for _ in range(2 * first[-1] + 3):
        await asyncio.to_thread(refused)
    async with asyncio.timeout(PATIENCE_S):
        while len(told := await tried(pod)) == len(first):
            pass
    assert told[-1] >= 2 * first[-1]


async def test_an_agent_cannot_say_what_was_tried(pod: Pod) -> None:
    pod.environment["SYMPOZIUM_COUNT_BLOCKED"] = "yes"
    pod.start("bridge")
    await pod.until_listening()
    written(pod, encode(Blocked(connections=10**6)))
    written(pod, encode(Result(text="done")))
    await pod.end()
    assert all(one.connections < 10**6 for one in await pod.recorded() if isinstance(one, Blocked))


async def test_where_nobody_counts_the_agent_does_not_either(pod: Pod) -> None:
    pod.start("bridge")
    await pod.until_listening()
    await asyncio.to_thread(refused)
    written(pod, encode(Result(text="trust me", blocked_connections=7)))
    assert await pod.end() == Result(text="trust me")
