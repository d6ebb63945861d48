"""A program that reads INBOX and holds what it gets: `python -m tests.bus.reader URL`."""

import asyncio
import sys

from sympozium.bus.nats import Address, connect
from sympozium.bus.ports import Delivery
from sympozium.contract.subjects import inbox_consumer, reply_prefix


async def main(url: str) -> None:
    """Say what arrives, and acknowledge all of it when a line is read."""
    held: list[Delivery] = []
    loop = asyncio.get_running_loop()
    async with connect(Address(url, "reader", reply_prefix("reader"))) as bus:

        async def acknowledge() -> None:
            await loop.run_in_executor(None, sys.stdin.readline)
            for delivery in held:
                await delivery.ack()
            await bus.client.flush()
            sys.stdout.write("acknowledged\n")
            sys.stdout.flush()

        line = inbox_consumer("default")
        async with asyncio.TaskGroup() as group, bus.consume(line) as deliveries:
            group.create_task(acknowledge())
            async for delivery in deliveries:
                held.append(delivery)
                sys.stdout.write(f"{delivery.sequence}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
