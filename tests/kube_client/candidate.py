"""A program that would like to lead: `python -m tests.kube_client.candidate URL CA TOKEN NAME`.

One that is named `stubborn` loses the cancellation of its work.
"""

import asyncio
import contextlib
import sys
from pathlib import Path

from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.lease import Election
from sympozium.runtime.loops import stop_on_signals


async def lead(stop: asyncio.Event) -> None:
    """Say that we lead, and do nothing else."""
    sys.stdout.write("leading\n")
    sys.stdout.flush()
    await stop.wait()


async def lead_on(stop: asyncio.Event) -> None:
    """Go on, whatever happens."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await lead(stop)


async def main(url: str, ca_file: str, token_file: str, name: str) -> None:
    """Stand for election until the process is told to stop."""
    async with connect(Endpoint(url, Path(ca_file), Path(token_file))) as kube:
        sys.stdout.write("standing\n")
        sys.stdout.flush()
        election = Election(kube, ("default", "candidate"), name)
        await election.run(lead_on if name == "stubborn" else lead, stop_on_signals())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
