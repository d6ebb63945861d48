"""The Agent and the Channel that a chart's values describe.

A chart cannot install them with the kinds that they are of: helm would not know the
kinds yet, and the webhook that looks at them serves only later. So they are applied
from here, as often as it takes.

| variable | meaning |
|---|---|
| `SYMPOZIUM_EXAMPLE_FILE` | JSON list of the objects |
"""

import asyncio
import json
import logging

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import AGENTS, CHANNELS, SECRETS, Object, Resource
from sympozium.kube.client import APPLY_PATCH, Kube, connect, object_path
from sympozium.kube.endpoint import in_cluster
from sympozium.kube.errors import ConflictError, NotFoundError
from sympozium.runtime.settings import Reader
from sympozium_controller.setup.secrets_made import Keys, fill, new_password

log = logging.getLogger(__name__)

MANAGER = "sympozium-chart"
PATIENCE_S = 240.0
RETRY_S = 1.0

KINDS: dict[str, Resource] = {one.kind: one for one in (AGENTS, CHANNELS, SECRETS)}


async def set_up() -> None:
    """Apply the objects, and fill the Secret with the web chat's token.

    Raises:
        PermanentError: The cluster refuses them, or did not take them within four minutes.
    """
    reader = Reader()
    file = reader.path("SYMPOZIUM_EXAMPLE_FILE")
    reader.finish()
    objects: list[Object] = json.loads(file.read_text())
    async with connect(in_cluster()) as kube:
        await apply_example(kube, objects)


async def apply_example(kube: Kube, objects: list[Object]) -> None:
    """Make *objects* be there, with their fields but for those that somebody else has set.

    Raises:
        PermanentError: As `set_up`.
    """
    for obj in objects:
        await _apply_patiently(kube, obj)


def make_token(known: Keys) -> Keys:
    """Return what callers of the web chat present; a token that is *known* is kept."""
    return {"token": new_password(), **known}


async def _apply_patiently(kube: Kube, obj: Object) -> None:
    name = f"{obj['kind']} '{obj['metadata']['namespace']}/{obj['metadata']['name']}'"
    cause = ""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await _apply(kube, obj)
                except (TransientError, NotFoundError) as error:  # the kind may be new
                    cause = str(error)
                    log.info("not applied yet", extra={"action": "retry", "cause": cause})
                    await asyncio.sleep(RETRY_S)
                else:
                    return
    except TimeoutError:
        raise PermanentError(f"cannot apply {name} within {PATIENCE_S:.0f} s: {cause}") from None


async def _apply(kube: Kube, obj: Object) -> None:
    """Make the fields of *obj* be so, but for those that somebody else has set since."""
    metadata, kind = obj["metadata"], obj["kind"]
    if kind not in KINDS:
        raise PermanentError(f"cannot apply a {kind}: an example has {', '.join(KINDS)}")
    if kind == SECRETS.kind:
        await fill(kube, metadata["namespace"], metadata["name"], make_token)
        return
    path = object_path(KINDS[kind], metadata["namespace"], metadata["name"])
    query = {"fieldManager": MANAGER}
    try:
        await kube.request("PATCH", path, body=obj, content_type=APPLY_PATCH, query=query)
    except ConflictError as error:
        log.warning(
            "left as somebody changed it",
            extra={"action": "keep", "kind": kind, "object": metadata["name"], "cause": str(error)},
        )
    else:
        log.info("applied", extra={"action": "apply", "kind": kind, "object": metadata["name"]})
