"""Candidates for one lease, on a real API server, with clocks that the test holds."""

import asyncio
import contextlib
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from sympozium.contract.resources import CONFIG_MAPS, LEASES, Object
from sympozium.kube import lease
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.errors import NotFoundError
from sympozium.kube.lease import (
    DURATION_S,
    EXIT_STUCK,
    GIVE_UP_AFTER_S,
    STUCK_AFTER_S,
    Election,
    NotLeadingError,
    Sight,
    Take,
    Wait,
    decide,
)
from sympozium_local.apiserver.server import serve
from tests.fixtures.tcp_proxy import tcp_proxy

KEY = ("default", "controller")
WAIT_S = 10.0


@dataclass
class Clock:
    """A clock that stands still until the test moves it."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Candidate:
    """A program that would like to lead, and whether it was let."""

    kube: Kube
    place: str
    clock: Clock = field(default_factory=Clock)
    terms: int = 0
    leading: "asyncio.Queue[Candidate]" = field(default_factory=asyncio.Queue)
    """Where it says that it leads; many may share one."""

    def __post_init__(self) -> None:
        self.stop = asyncio.Event()
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self.election = Election(self.kube, KEY, self.place, clock=self.clock)

    async def lead(self, stop: asyncio.Event) -> None:
        self.terms += 1
        self.ended.clear()
        self.began.set()
        self.leading.put_nowait(self)
        try:
            await stop.wait()
        finally:
            self.began.clear()
            self.ended.set()

    async def until_it_leads(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.began.wait()

    async def until_it_stands_by(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.ended.wait()


@asynccontextmanager
async def running(*candidates: Candidate) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for one in candidates:
            group.create_task(one.election.run(one.lead, one.stop))
        try:
            yield
        finally:
            for one in candidates:
                one.stop.set()


async def lease_of(kube: Kube) -> Object:
    return await kube.get(LEASES, *KEY)


async def holder_of(kube: Kube) -> str:
    spec: Object = (await lease_of(kube))["spec"]
    return str(spec["holderIdentity"])


async def held_by_another(kube: Kube, holder: str = "other-pod_1") -> Object:
    """Write the lease as a candidate elsewhere does, which is heard of no more."""
    metadata = {"namespace": KEY[0], "name": KEY[1]}
    spec = {"holderIdentity": holder, "leaseDurationSeconds": DURATION_S}
    return await kube.create(
        LEASES,
        {"apiVersion": LEASES.api_version, "kind": "Lease", "metadata": metadata, "spec": spec},
    )


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the API server of a busy machine the time that it takes to take a lease back."""
    monkeypatch.setattr(lease, "HAND_BACK_TIMEOUT_S", WAIT_S)


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def a_lease(holder: str, duration_s: int = DURATION_S) -> Object:
    return {"spec": {"holderIdentity": holder, "leaseDurationSeconds": duration_s}}


@given(
    seen_ago_s=st.floats(0, 10),
    duration_s=st.integers(0, 5),
    holder=st.sampled_from(["", "ours_1", "ours_2", "other_1"]),
)
def test_a_lease_is_taken_only_where_its_holder_acts_no_more(
    seen_ago_s: float, duration_s: int, holder: str
) -> None:
    step = decide(Sight(a_lease(holder, duration_s), 100.0), "ours", now=100.0 + seen_ago_s)
    if isinstance(step, Take) and holder == "other_1":
        assert seen_ago_s > GIVE_UP_AFTER_S
    if holder != "other_1":
        assert step == Take()
    if isinstance(step, Wait):
        assert 0 < step.for_s <= max(duration_s, DURATION_S)


def test_the_holder_gives_up_before_anybody_may_take_over() -> None:
    assert GIVE_UP_AFTER_S < DURATION_S


async def test_the_first_candidate_leads_and_the_lease_says_who_it_is(api: Kube) -> None:
    candidate = Candidate(api, "pod-a")
    async with running(candidate):
        await candidate.until_it_leads()
        spec = (await lease_of(api))["spec"]
        assert spec["holderIdentity"].startswith("pod-a_")
        assert spec["leaseDurationSeconds"] == DURATION_S
        assert spec["acquireTime"] == spec["renewTime"]


async def test_a_candidate_that_stops_hands_the_lease_back_and_another_takes_it_at_once(
    api: Kube,
) -> None:
    first, second = Candidate(api, "pod-a"), Candidate(api, "pod-b")  # clocks that stand still
    async with running(first):
        await first.until_it_leads()
        async with running(second):
            first.stop.set()
            await second.until_it_leads()
            assert (await holder_of(api)).startswith("pod-b_")


async def test_a_holder_that_is_heard_of_no_more_is_followed_when_its_time_is_over(
    api: Kube,
) -> None:
    await held_by_another(api)
    candidate = Candidate(api, "pod-b")
    async with running(candidate):
        barrier = Candidate(api, "pod-c")
        barrier.election = Election(api, ("default", "another"), "pod-c", clock=barrier.clock)
        async with running(barrier):
            await barrier.until_it_leads()  # which began later, and has come as far
        assert candidate.terms == 0
        candidate.clock.now_s += DURATION_S
        await candidate.until_it_leads()


async def test_a_process_in_the_place_of_the_holder_does_not_wait_for_it(api: Kube) -> None:
    await held_by_another(api, "pod-a_before")
    candidate = Candidate(api, "pod-a")
    async with running(candidate):
        await candidate.until_it_leads()
        assert (await lease_of(api))["spec"]["leaseTransitions"] == 1


async def test_a_holder_that_was_stopped_past_its_lease_writes_nothing_afterwards(
    api: Kube,
) -> None:
    candidate = Candidate(api, "pod-a")
    fenced = api.fenced(candidate.election.check)
    async with running(candidate):
        await candidate.until_it_leads()
        candidate.clock.now_s += GIVE_UP_AFTER_S
        with pytest.raises(NotLeadingError):
            await fenced.create(CONFIG_MAPS, a_config_map("late"))
        listed = await fenced.list(CONFIG_MAPS, "default")  # who stands by may read
        assert "late" not in [one["metadata"]["name"] for one in listed.items]


async def test_a_holder_whose_lease_was_taken_stands_by_and_leads_again_after_it(
    api: Kube,
) -> None:
    candidate = Candidate(api, "pod-a")
    async with running(candidate):
        await candidate.until_it_leads()
        await api.patch(LEASES, *KEY, {"spec": {"holderIdentity": "pod-b_1"}})
        await candidate.until_it_stands_by()
        assert not candidate.election.is_leading
        await api.patch(LEASES, *KEY, {"spec": {"holderIdentity": ""}})
        await candidate.until_it_leads()
        assert candidate.terms == 2


async def test_somebody_who_annotates_the_lease_does_not_take_it(api: Kube) -> None:
    candidate = Candidate(api, "pod-a")
    async with running(candidate):
        await candidate.until_it_leads()
        patched = await api.patch(LEASES, *KEY, {"metadata": {"annotations": {"note": "hello"}}})
        version = int(patched["metadata"]["resourceVersion"])
        async with asyncio.timeout(WAIT_S):
            listed = await api.list(LEASES, KEY[0])
            async for event in api.watch(LEASES, KEY[0], since=listed.resource_version):
                if int(event.object["metadata"]["resourceVersion"]) > version:
                    break
        held = await lease_of(api)
        assert held["metadata"]["annotations"] == {"note": "hello"}
        assert candidate.terms == 1
        assert candidate.election.is_leading


async def test_a_namespace_that_is_not_there_is_told(api: Kube) -> None:
    candidate = Candidate(api, "pod-a")
    election = Election(api, ("nowhere", "controller"), "pod-a")
    with pytest.raises(ExceptionGroup) as raised:
        await election.run(candidate.lead, candidate.stop)
    assert raised.group_contains(NotFoundError, match="nowhere")


async def test_a_lease_that_somebody_deletes_is_made_anew(api: Kube) -> None:
    candidate = Candidate(api, "pod-a")
    async with running(candidate):
        await candidate.until_it_leads()
        await api.delete(LEASES, *KEY)
        await candidate.until_it_stands_by()
        await candidate.until_it_leads()
        assert (await holder_of(api)).startswith("pod-a_")


async def test_a_program_whose_work_does_not_end_with_its_lease_ends_itself(
    api: Kube,
) -> None:
    endpoint = api._endpoint
    where = (endpoint.url, str(endpoint.ca_file), str(endpoint.token_file))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.kube_client.candidate", *where, "stubborn"), stdout=PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            assert await process.stdout.readline() == b"standing\n"
            assert await process.stdout.readline() == b"leading\n"
        held = ("default", "candidate")
        await api.patch(LEASES, *held, {"spec": {"holderIdentity": "pod-b_1"}})
        async with asyncio.timeout(STUCK_AFTER_S + WAIT_S):
            assert await process.wait() == EXIT_STUCK
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


class RealClock(Clock):
    """The clock of this machine that nobody sets."""

    @override
    def __call__(self) -> float:
        return time.monotonic()


async def test_a_holder_that_hears_nothing_of_the_api_server_stands_by_until_it_does(
    tmp_path: Path,
) -> None:
    async with serve(tmp_path) as served, tcp_proxy(port_of(served.url)) as proxy:
        url = f"https://127.0.0.1:{proxy.port}"
        async with connect(Endpoint(url, served.ca_file, served.token_file)) as kube:
            candidate = Candidate(kube, "pod-a", clock=RealClock())
            async with running(candidate):
                await candidate.until_it_leads()
                proxy.hold()
                await candidate.until_it_stands_by()
                assert not candidate.election.is_leading
                with pytest.raises(NotLeadingError):
                    candidate.election.check()
                proxy.mend()
                await candidate.until_it_leads()
                assert candidate.election.is_leading
    assert candidate.terms == 2


async def test_of_many_candidates_one_leads_at_a_time(api: Kube) -> None:
    leading: asyncio.Queue[Candidate] = asyncio.Queue()
    candidates = [Candidate(api, f"pod-{number}", leading=leading) for number in range(5)]
    async with running(*candidates):
        for _ in candidates:
            async with asyncio.timeout(WAIT_S):
                leader = await leading.get()
            assert [one for one in candidates if one.began.is_set()] == [leader]
            leader.stop.set()
    assert [one.terms for one in candidates] == [1] * 5


def a_config_map(name: str) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
