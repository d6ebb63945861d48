"""How soon another one goes on where a program was killed: `make handover`.

Twice, once without anything around it and once as people have it. The lease and the
bus are measured with programs that nobody starts again, so that only a standby can
take over; and with some that only stop. In the whole system, with two routers and two
controllers, it is the time from the kill to the answer of a message that was accepted
just before.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from signal import Signals

import aiohttp

from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import PODS
from sympozium.contract.subjects import inbox, inbox_consumer
from sympozium.kube.client import Kube
from sympozium.testing.nats_server import NatsServer
from sympozium_local.apiserver.server import serve
from tests.bench.main_job import milliseconds, running
from tests.bench.processes import bus_in
from tests.fixtures.chat import Person
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.fixtures.system import administrator, scriptable_model
from tests.scenario.replicas import NAMESPACE, containers, leader, rolled_out

WAIT_S = 30.0


async def spawned(module: str, *arguments: str) -> Process:
    """Start a program whose lines are read."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments), stdin=PIPE, stdout=PIPE
    )


async def said(process: Process) -> str:
    """Return the next line of a program."""
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        return (await process.stdout.readline()).decode().strip()


async def ended(process: Process) -> None:
    """End a program for good."""
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def lease_rounds(rounds: int, blow: Signals) -> list[float]:
    """Return how long each time nobody held a lease whose holder was struck."""
    took = []
    with tempfile.TemporaryDirectory() as directory:
        async with serve(Path(directory)) as api:
            where = (api.url, str(api.ca_file), str(api.token_file))

            async def candidate(number: int) -> Process:
                process = await spawned("tests.kube_client.candidate", *where, f"pod-{number}")
                assert await said(process) == "standing"
                return process

            holder, standby = await candidate(0), None
            assert await said(holder) == "leading"
            for number in range(1, rounds + 1):
                standby = await candidate(number)
                await asyncio.sleep(random.uniform(1.0, 2.0))
                began = time.perf_counter()
                holder.send_signal(blow)
                assert await said(standby) == "leading"
                took.append(time.perf_counter() - began)
                await ended(holder)
                holder = standby
            await ended(holder)
    return took


async def bus_rounds(rounds: int, blow: Signals) -> list[float]:
    """Return how long each time what a reader held that was struck was with nobody."""
    with tempfile.TemporaryDirectory() as directory:
        async with bus_in(Path(directory)) as (nats, bus):
            return [await _bus_round(nats, bus, number, blow) for number in range(rounds)]


async def _bus_round(nats: NatsServer, bus: NatsBus, number: int, blow: Signals) -> float:
    reader = await spawned("tests.bus.reader", nats.url)
    try:
        receipt = await bus.publish(inbox("default", "web"), b"1", message_id=str(number))
        assert await said(reader) == str(receipt.sequence)
        await asyncio.sleep(random.uniform(0.0, 1.0))
        async with asyncio.timeout(WAIT_S), bus.consume(inbox_consumer("default")) as deliveries:
            began = time.perf_counter()
            reader.send_signal(blow)
            delivery = await anext(deliveries)
            took = time.perf_counter() - began
            assert (delivery.sequence, delivery.attempt) == (receipt.sequence, 2)
            await delivery.ack()
            await bus.client.flush()
    finally:
        await ended(reader)
    return took


Victim = Callable[[Kube], Awaitable[tuple[str, str]]]


async def nobody(_: Kube) -> tuple[str, str]:
    """Kill none: what an answer takes without."""
    return "", ""


async def a_router(kube: Kube) -> tuple[str, str]:
    """Return the pod and the container of one of the routers."""
    return random.choice(list((await containers(kube, "router")).items()))


async def the_leader(kube: Kube) -> tuple[str, str]:
    """Return the pod and the container of the controller that leads."""
    pod = await leader(kube)
    return pod, (await containers(kube, "controller"))[pod]


async def answer_rounds(
    person: Person, kube: Kube, system: EmbeddedSystem, victim: Victim, rounds: int
) -> list[float]:
    """Return how long people waited each time after a kill for what was accepted before."""
    took = []
    for number in range(rounds):
        conversation = f"{victim.__name__}-{number}"
        pod, container = await victim(kube)
        message_id = await person.say(conversation, "hello")
        began = time.perf_counter()
        if container:
            system.kill_container(container)
        answer = await person.end_of(conversation, message_id)
        took.append(time.perf_counter() - began)
        assert answer["error"] is None, answer
        if pod:
            await replaced(kube, pod)
    return took


async def replaced(kube: Kube, pod: str) -> None:
    """Have another pod in the place of a killed one, which would be held back in the end."""
    await kube.delete(PODS, NAMESPACE, pod, grace_s=0)
    async with asyncio.timeout(WAIT_S):
        while True:
            running_now = await containers(kube, "router") | await containers(kube, "controller")
            if pod not in running_now and await leader(kube) in running_now:
                break
            await asyncio.sleep(0.05)
    for program in ("router", "controller"):
        await rolled_out(kube, NAMESPACE, f"sympozium-{program}")
    await asyncio.sleep(random.uniform(0.0, 1.0))


async def whole_system(system: EmbeddedSystem, rounds: int) -> None:
    """Print what people see of a kill."""
    for program in ("router", "controller"):
        name = ("-n", "sympozium-system", f"deployment/sympozium-{program}")
        system.kubectl("scale", *name, "--replicas=2")
        system.kubectl("rollout", "status", *name)
    async with administrator(system) as kube, aiohttp.ClientSession() as session:
        person = Person(session, system.url)
        for victim in (nobody, a_router, the_leader):
            took = await answer_rounds(person, kube, system, victim, rounds)
            show(f"message to answer, {victim.__name__.replace('_', ' ')} killed", took)


def show(what: str, took: list[float]) -> None:
    """Print one row."""
    print(f"{what}: {milliseconds(took)}, longest {max(took) * 1000:.0f} ms ({len(took)} rounds)")


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    for blow in (Signals.SIGKILL, Signals.SIGSTOP):
        lease = asyncio.run(lease_rounds(rounds, blow))
        show(f"lease: {blow.name} of its holder to the next one", lease)
        bus = asyncio.run(bus_rounds(rounds, blow))
        show(f"bus: {blow.name} of a reader to the next one", bus)
    with (
        tempfile.TemporaryDirectory() as directory,
        scriptable_model(Path(directory)) as port,
        running(f"http://127.0.0.1:{port}/v1") as system,
    ):
        asyncio.run(whole_system(system, rounds))


if __name__ == "__main__":
    main()
