"""How long a reply takes on a real node, part by part; a burst; the memory of each program.

    python -m tests.bench.kube_times --name NAME [--messages 30] [--burst 50] [--more 120]

Moments of the API are those of its audit log, to the microsecond; those of the model are its own,
in this process, and those of the person when the page's stream brings them.
"""

import argparse
import asyncio
import statistics
import sys
import time
from dataclasses import dataclass

from tests.bench.kube_release import Asked, Installed, installed

SETTLE_S = 5.0
MIB = 1 << 20


def say(line: str = "") -> None:
    """Print one line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Heard:
    """When a person sent a message, and what of the answer was seen when."""

    sent: float
    asked: float
    first_token: float
    reply: float


async def one_message(system: Installed, number: int) -> Heard:
    """Send one message and follow its answer on the page's stream."""
    conversation = f"times-{int(time.time())}-{number}"
    first_token = 0.0
    async with system.person.events(conversation) as events:
        sent = time.time()
        before = len(system.model.asked)
        await system.person.say(conversation, "measure this")
        async for event in events:
            if event.type == "delta":
                first_token = first_token or time.time()
            if event.type in {"final", "error"}:
                assert event.type == "final", event
                break
    return Heard(sent, system.model.asked[before], first_token or time.time(), time.time())


PARTS = (
    ("message to AgentRun", "sent", "agentruns"),
    ("AgentRun to Job", "agentruns", "jobs"),
    ("Job to pod (Job controller)", "jobs", "pods"),
    ("pod to node (scheduler)", "pods", "pods/binding"),
    ("node to the agent's first call", "pods/binding", "asked"),
    ("first call to first token seen", "asked", "first_token"),
    ("first token to reply seen", "first_token", "reply"),
)


def moments(heard: Heard, requests: list[Asked]) -> dict[str, float]:
    """Return the moments of one message by what happened: those of the run that was made for it."""
    found = {
        "sent": heard.sent,
        "asked": heard.asked,
        "first_token": heard.first_token,
        "reply": heard.reply,
    }
    done = [one for one in requests if heard.sent <= one.at and one.code < 300]
    run = next((one for one in done if (one.verb, one.resource) == ("create", "agentruns")), None)
    if run is None:
        return found
    for one in done:
        if one.verb == "create" and one.resource in {"agentruns", "jobs", "pods"}:
            found.setdefault(one.resource, one.done)
        elif one.resource == "pods/binding" and one.name.startswith(run.name):
            found.setdefault("pods/binding", one.done)
        elif one.resource == "agentruns/status" and one.name == run.name:
            found["status"] = one.done
    return found


def spread(name: str, samples: list[float]) -> None:
    """Print the median and the 90th percentile."""
    ordered = sorted(samples)
    high = ordered[int(len(ordered) * 0.9)] if ordered else 0.0
    middle = statistics.median(ordered) if ordered else 0.0
    say(f"  {name:36} p50 {middle * 1000:6.0f} ms   p90 {high * 1000:6.0f} ms")


async def alone(system: Installed, count: int) -> None:
    """Measure messages one after the other, part by part."""
    begun = time.time()
    heard = []
    for number in range(count):
        heard.append(await one_message(system, number))
        await asyncio.sleep(1)
    await asyncio.sleep(SETTLE_S)
    requests = system.audit(begun, time.time())
    found = [moments(one, requests) for one in heard]
    say(f"{count} messages, one after the other")
    for name, begin, end in PARTS:
        spread(name, [one[end] - one[begin] for one in found if begin in one and end in one])
    spread("message to reply", [one.reply - one.sent for one in heard])
    spread("message to terminal status", [f["status"] - f["sent"] for f in found if "status" in f])
    say()


async def burst(system: Installed, count: int) -> None:
    """Measure as many messages at once."""
    begun = time.time()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(system.person.ask(f"burst-{int(begun)}-{number}", "measure this"))
            for number in range(count)
        ]
    took = time.time() - begun
    answered = sum(task.result()["text"] == "one two three" for task in tasks)
    say(
        f"a burst of {count}: {took:.1f} s, {count / took:.2f} runs/s, {answered} with their answer"
    )
    say()


def memory(system: Installed, title: str) -> None:
    """Print what each program has resident."""
    say(f"memory {title}")
    for name, size in sorted(system.system.memory().items()):
        say(f"  {name:60} {size / MIB:6.1f} MiB")
    say()


async def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--messages", type=int, default=30)
    parser.add_argument("--burst", type=int, default=50)
    parser.add_argument("--more", type=int, default=120, help="runs before memory is read again")
    told = parser.parse_args()
    async with installed(told.name) as system:
        await one_message(system, -1)
        memory(system, "at rest")
        await alone(system, told.messages)
        await burst(system, told.burst)
        for _ in range(told.more // 10):
            await burst(system, 10)
        memory(system, f"after {1 + told.messages + told.burst + told.more} runs")


if __name__ == "__main__":
    asyncio.run(main())
