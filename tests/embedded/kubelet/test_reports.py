"""What the first process of a container said last is heard, however its connection ended."""

import socket

import msgspec
import pytest

from sympozium_local.kubelet.sandbox.client import Container, ContainerCannotRunError
from sympozium_local.kubelet.sandbox.plan import ContainerPlan, Exited, Refused, Report, Started

PLAN = ContainerPlan(hostname="c", argv=["true"], env={})


def left_a_command_unread(*reports: Report) -> Container:
    """Return a container that said all of this and ended before it read that it may go.

    The kernel tells first that a command was not read, and after that what was said.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    container = Container(ours, PLAN)
    container.go()
    with theirs:
        for report in reports:
            theirs.send(msgspec.json.encode(report))
    return container


async def test_why_it_cannot_run() -> None:
    container = left_a_command_unread(Refused("cannot mount its root"))
    with pytest.raises(ContainerCannotRunError, match="cannot mount its root"):
        await container.started()
    assert await container.wait() == 137


async def test_how_its_command_ended() -> None:
    container = left_a_command_unread(Started(), Exited(3))
    await container.started()
    assert await container.wait() == 3


async def test_nothing() -> None:
    container = left_a_command_unread()
    with pytest.raises(ContainerCannotRunError, match="ended before its command ran"):
        await container.started()
