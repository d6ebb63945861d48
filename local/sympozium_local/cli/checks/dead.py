"""Dead letters, which only a person can settle; asking for them tries bus and router as well."""

import asyncio
from collections import Counter
from collections.abc import Iterator

from sympozium.contract.operate import Action, DeadAnswer, DeadRequest
from sympozium_local.cli.checks.check import Check, good, warning
from sympozium_local.cli.operator import bus_door, operator
from sympozium_local.cli.where import Where


def dead_checks(where: Where) -> Iterator[Check]:
    """Ask a router, over the bus, for the dead letters.

    Raises:
        ForbiddenError: The caller is no operator.
        SympoziumError: The bus or every router does not answer.
    """
    with bus_door(where, "") as door:

        async def asked() -> DeadAnswer:
            async with operator(door) as at_bus:
                return await at_bus.ask(DeadRequest(action=Action.LIST, since=1))

        answer = asyncio.run(asked())
    if not answer.letters:
        yield good("dead letters", "there are none")
    counted = Counter((one.namespace, one.name, one.stream) for one in answer.letters)
    for (namespace, name, stream), count in sorted(counted.items()):
        more = " or more" if answer.more_since else ""
        yield warning(
            f"{namespace}/{name}",
            f"{count}{more} of {stream} were given up",
            f"mend the cause, then sympozium dead retry --all --namespace {namespace} "
            f"--name {name}; see sympozium dead list",
        )
