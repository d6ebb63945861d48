"""A certificate that is followed by another, as the API server and its controllers see it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from sympozium.contract.resources import SECRETS
from sympozium.kube.client import connect
from sympozium_controller.admission import keeping as admission_keeping
from sympozium_controller.admission.certificates import RENEW_BEFORE, VALID_FOR, Pair
from sympozium_controller.admission.keeping import TRUST_SPREADS_S, WEBHOOK, Keeper
from tests.admission.webhooks import SYSTEM, WAIT_S, Installation

LATE = VALID_FOR - RENEW_BEFORE + timedelta(minutes=1)


@dataclass
class Clock:
    """The time as controllers are told it."""

    later: timedelta = timedelta(0)
    passed_s: float = 0.0

    def wall(self) -> datetime:
        return datetime.now(UTC) + self.later

    def monotonic(self) -> float:
        return self.passed_s


@dataclass
class Replica:
    """What one controller presents, in order."""

    presented: list[Pair] = field(default_factory=list)


@asynccontextmanager
async def keeping(installation: Installation, clock: Clock) -> AsyncIterator[Replica]:
    replica, stop = Replica(), asyncio.Event()
    async with connect(await installation.endpoint()) as kube, asyncio.TaskGroup() as group:
        keeper = Keeper(
            kube, SYSTEM, replica.presented.append, wall=clock.wall, clock=clock.monotonic
        )
        group.create_task(keeper.run(stop))
        try:
            yield replica
        finally:
            stop.set()


async def look_again(installation: Installation) -> None:
    """Have the controllers look, as they do by themselves twice a minute."""
    note = {"metadata": {"annotations": {"note": str(datetime.now(UTC))}}}
    await installation.admin.patch(SECRETS, SYSTEM, WEBHOOK, note)


async def until(installation: Installation, key: str, *, is_there: bool) -> dict[str, str]:
    """Return what the Secret holds, once it has or has not *key*."""
    async with asyncio.timeout(WAIT_S):
        while bool((data := await installation.secret()).get(key)) is not is_there:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return data


async def until_trusted(installation: Installation, bundle: str) -> None:
    async with asyncio.timeout(WAIT_S):
        while await installation.bundle() != bundle:  # noqa: ASYNC110 - another task
            await asyncio.sleep(0.02)


async def until_presented(replicas: list[Replica], count: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while any(len(one.presented) < count for one in replicas):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_the_next_certificate_is_presented_by_all_once_all_trust_it(
    installation: Installation,
) -> None:
    clock = Clock()
    async with keeping(installation, clock) as one, keeping(installation, clock) as other:
        both = [one, other]
        await until_presented(both, 1)
        assert one.presented[-1] == other.presented[-1]
        first = await until(installation, "tls.crt", is_there=True)
        await until_trusted(installation, first["ca.crt"])

        clock.later = LATE
        await look_again(installation)
        coming = await until(installation, "next.crt", is_there=True)
        assert coming["tls.crt"] == first["tls.crt"]
        await until_trusted(installation, coming["ca.crt"])
        await look_again(installation)
        assert [len(one.presented) for one in both] == [1, 1]

        clock.passed_s = TRUST_SPREADS_S + 1
        await look_again(installation)
        done = await until(installation, "next.crt", is_there=False)
        assert done["tls.crt"] == coming["next.crt"]
        assert done["ca.crt"] == coming["ca.crt"]
        await until_presented(both, 2)
        assert one.presented[-1] == other.presented[-1]


async def test_a_step_of_the_clock_past_the_end_costs_one_new_certificate(
    installation: Installation,
) -> None:
    clock = Clock()
    async with keeping(installation, clock) as one, keeping(installation, clock) as other:
        await until_presented([one, other], 1)
        clock.later = timedelta(days=30)
        await look_again(installation)
        await until_presented([one, other], 2)
        data = await installation.secret()
        await until_trusted(installation, data["ca.crt"])
        clock.later = timedelta(0)  # and back
        await look_again(installation)
        await until_presented([one, other], 3)
        assert one.presented[-1] == other.presented[-1]


async def test_a_certificate_that_ended_while_the_machine_slept_is_noticed_without_a_change(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission_keeping, "LOOK_AGAIN_S", 0.1)
    clock = Clock()
    async with keeping(installation, clock) as one:
        await until_presented([one], 1)
        clock.later = timedelta(days=30)
        await until_presented([one], 2)


async def test_a_controller_that_starts_presents_what_the_others_do(
    installation: Installation,
) -> None:
    clock = Clock()
    async with keeping(installation, clock) as one:
        await until_presented([one], 1)
    async with keeping(installation, clock) as next_:
        await until_presented([next_], 1)
    assert next_.presented == one.presented
