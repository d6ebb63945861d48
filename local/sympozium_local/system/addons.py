"""Making the objects that a start brings along be there."""

import asyncio
import logging
from collections.abc import Iterable

from sympozium.contract import resources
from sympozium.contract.crds import definition_objects
from sympozium.contract.errors import TransientError
from sympozium.contract.resources import Object, Resource
from sympozium.kube.client import Kube
from sympozium.kube.errors import AlreadyExistsError, NotFoundError

log = logging.getLogger(__name__)

MANAGER = "sympozium-up"
TRIES = 5
RETRY_S = 0.2

_KINDS = {
    (one.api_version, one.kind): one
    for one in vars(resources).values()
    if isinstance(one, Resource)
}


async def apply_addons(kube: Kube, addons: Object) -> None:
    """Apply the system's objects; create the user's where they are missing.

    What a user changed in the latter stays, apart from the fields that the start
    sets, and these only when their value for this start is another than at the
    last one.
    """
    namespaces = [obj for obj in addons.get("apply", ()) if obj["kind"] == "Namespace"]
    await _all(kube, [*definition_objects(), *namespaces])
    others = [obj for obj in addons.get("apply", ()) if obj["kind"] != "Namespace"]
    # What a Deployment needs must be there when its pod starts: not required, but quicker.
    await _all(kube, [obj for obj in others if obj["kind"] != "Deployment"])
    async with asyncio.TaskGroup() as group:
        group.create_task(_all(kube, [obj for obj in others if obj["kind"] == "Deployment"]))
        for obj in addons.get("create", ()):
            group.create_task(_create_or_set(kube, obj))
    log.info("addons applied", extra={"action": "apply", "objects": len(others)})


async def _all(kube: Kube, objects: Iterable[Object]) -> None:
    async with asyncio.TaskGroup() as group:
        for obj in objects:
            group.create_task(_apply(kube, obj))


async def _apply(kube: Kube, obj: Object) -> None:
    await kube.apply(_resource(obj), obj, manager=MANAGER)


async def _create_or_set(kube: Kube, wanted: Object) -> None:
    for attempt in range(TRIES):
        try:
            await _create_or_set_once(kube, wanted)
        except (NotFoundError, TransientError):  # a kind is served a moment after its definition
            if attempt == TRIES - 1:
                raise
            await asyncio.sleep(RETRY_S)
        else:
            return


async def _create_or_set_once(kube: Kube, wanted: Object) -> None:
    resource, metadata = _resource(wanted["object"]), wanted["object"]["metadata"]
    try:
        await kube.create(resource, wanted["object"])
    except AlreadyExistsError:
        there = await kube.get(resource, metadata["namespace"], metadata["name"])
        before = there["metadata"].get("annotations") or {}
        marks = wanted["set"]["metadata"]["annotations"]
        if marks.items() <= before.items():
            return
        await kube.patch(resource, metadata["namespace"], metadata["name"], wanted["set"])


def _resource(obj: Object) -> Resource:
    return _KINDS[obj["apiVersion"], obj["kind"]]
