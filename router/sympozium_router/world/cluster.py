"""The objects that the router looks at and makes, read from local copies.

A copy may be a moment old. That something exists is believed; that something
does not exist is asked again at the API server, because people are told so.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from sympozium.contract.channel import ChannelSpec
from sympozium.contract.conditions import Condition
from sympozium.contract.errors import TransientError
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import AGENT_RUNS, AGENTS, CHANNELS, Object, Resource
from sympozium.kube.client import Kube
from sympozium.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)
from sympozium.kube.informer import Listener
from sympozium.kube.tenants import NamespaceListener, Tenants
from sympozium_router.runs.refusals import RefusedError
from sympozium_router.world.channel_status import (
    MAX_CONFLICTS,
    Change,
    change_status,
    with_condition,
)
from sympozium_router.world.held import Cutter, held_run, is_cut, is_terminal

_UID = "uid"

Wanted = Callable[[], Awaitable[str | None]]
"""Returns what a run is to be asked; None: nothing any more."""


class Cluster:
    """Agents, Channels and AgentRuns of all tenants."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._tenants = Tenants(kube)
        self._agents = self._tenants.informer(AGENTS)
        self._channels = self._tenants.informer(CHANNELS)
        self._runs = self._tenants.informer(AGENT_RUNS, indexes={_UID: _uid_of}, keep=held_run)
        self.cutter = Cutter(self._runs)

    @property
    def is_synced(self) -> bool:
        """Whether the copies were complete once."""
        return self._tenants.synced.is_set()

    async def wait_until_synced(self) -> None:
        """Return when the copies were complete once."""
        await self._tenants.synced.wait()

    async def follow(self, stop: asyncio.Event) -> None:
        """Keep the copies up until *stop* is set.

        Raises:
            PermanentError: The server refuses: a missing role or kind.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tenants.run(stop))
            group.create_task(self.cutter.run(stop))

    async def is_tenant(self, namespace: str) -> bool:
        """Return whether the agents of *namespace* are served; raises as `channel`."""
        return await self._tenants.is_tenant(namespace)

    def tenants(self) -> list[str]:
        """Return the namespaces whose agents are served, by the copies."""
        return self._tenants.names()

    def listen_to_tenants(self, listener: NamespaceListener) -> None:
        """Have *listener* called for every tenant, and for each that comes or goes."""
        self._tenants.listen(listener)

    def listen_to_runs(self, listener: Listener) -> None:
        """Have *listener* called for every later change of an AgentRun."""
        self._runs.listen(listener)

    def runs(self) -> list[Object]:
        """Return the copies of all AgentRuns; they may be cut (see `held`). Do not change them."""
        return list(self._runs.all())

    def channels(self) -> list[Object]:
        """Return the copies of all Channels. Do not change them."""
        return list(self._channels.all())

    async def channel(self, namespace: str, name: str) -> Object | None:
        """Return a Channel, or None where there is none.

        Raises:
            UnavailableError: There is no copy, and the API server does not answer.
        """
        return self._channels.get(namespace, name) or await self._read(CHANNELS, namespace, name)

    async def channel_spec(self, namespace: str, name: str) -> ChannelSpec | None:
        """Return what is wanted of a Channel, or None where there is none; raises as `channel`.

        Raises:
            RefusedError: It holds what this version does not understand.
        """
        found = await self.channel(namespace, name)
        if found is None:
            return None
        try:
            return msgspec.convert(found["spec"], ChannelSpec)
        except msgspec.ValidationError as error:
            raise RefusedError(
                f"cannot read Channel {name!r}: {error}; correct its spec", Reason.CONFIGURATION
            ) from None

    async def agent(self, namespace: str, name: str) -> Object | None:
        """Return an Agent, or None where there is none; raises as `channel`."""
        return self._agents.get(namespace, name) or await self._read(AGENTS, namespace, name)

    def known_run(self, namespace: str, name: RunName) -> Object | None:
        """Return the copy of the run of a name, if there is one; it may be cut (see `held`)."""
        return self._runs.get(namespace, name)

    async def run(self, namespace: str, name: RunName, uid: RunUid) -> Object | None:
        """Return a run, or None where it is gone; raises as `channel`."""
        known = _of_uid(self.known_run(namespace, name), uid)
        if known is None or is_cut(known):
            return await self.fresh_run(namespace, name, uid)
        return known

    async def fresh_run(self, namespace: str, name: RunName, uid: RunUid) -> Object | None:
        """Return a run as it is now, or None where it is gone.

        Raises:
            UnavailableError: The API server does not answer.
        """
        found = await self._read(AGENT_RUNS, namespace, name)
        if found is not None:
            self._runs.remember(found)
        return _of_uid(found, uid)

    async def run_named(self, namespace: str, name: RunName) -> Object | None:
        """Return the run of a name as it is now, or None where there is none; raises as `run`."""
        return await self._read(AGENT_RUNS, namespace, name)

    def known_run_by_uid(self, namespace: str, uid: RunUid) -> Object | None:
        """Return the copy of the run of a uid, if there is one in *namespace*."""
        return _first_in(namespace, self._runs.by_index(_UID, uid))

    async def run_by_uid(
        self, namespace: str, uid: RunUid, name: RunName | None = None
    ) -> Object | None:
        """Return the run of a uid, or None where there is none in *namespace*; raises as `run`.

        Where the copy is behind, *name* spares a look at every run that there is.
        """
        found = self.known_run_by_uid(namespace, uid)
        if name and (found is None or is_cut(found)):
            return await self.fresh_run(namespace, name, uid)
        if found is None or is_cut(found):
            listed = await self._list_runs(namespace)
            found = _first_in(namespace, (run for run in listed if uid in _uid_of(run)))
        return found

    async def create_run(self, run: Object) -> Object:
        """Create a run, or return the one that has its name already.

        Raises:
            InvalidError: A rule of the kind refuses it.
            ForbiddenError: A quota or an admission policy refuses it.
            UnavailableError: No answer. It may have been created: try again.
        """
        try:
            created = await self._kube.create(AGENT_RUNS, run)
        except AlreadyExistsError:
            metadata = run["metadata"]
            created = await self._kube.get(AGENT_RUNS, metadata["namespace"], metadata["name"])
        self._runs.remember(created)
        return created

    async def cancel_run(self, namespace: str, name: RunName) -> None:
        """Have a run end as Cancelled. That it is gone, or is to end already, is success.

        Raises:
            UnavailableError: The API server does not answer: try again.
        """
        known = self.known_run(namespace, name)
        if known is not None and (is_terminal(known) or known["spec"].get("cancel")):
            return
        with contextlib.suppress(NotFoundError):
            changed = await self._kube.patch(
                AGENT_RUNS, namespace, name, {"spec": {"cancel": True}}
            )
            self._runs.remember(changed)

    async def change_task(self, namespace: str, name: RunName, wanted: Wanted) -> None:
        """Change what a run is asked to what *wanted* returns, unless it has ended or is gone.

        *wanted* is asked after the run was read, so that of two who write at the same time
        none puts back what it had read before the other wrote; None: it stays as it is.

        Raises:
            TransientError: The API server does not answer, or others write all the time.
        """
        for _ in range(MAX_CONFLICTS):
            run = await self._read(AGENT_RUNS, namespace, name)
            if run is None or is_terminal(run):
                return
            task = await wanted()
            if task is None or run["spec"].get("task") == task:
                return
            version = {"resourceVersion": run["metadata"]["resourceVersion"]}
            patch = {"metadata": version, "spec": {"task": task}}
            with contextlib.suppress(ConflictError, NotFoundError):
                self._runs.remember(await self._kube.patch(AGENT_RUNS, namespace, name, patch))
                return
        raise TransientError(f"cannot change AgentRun {name!r}: others write it too")

    async def change_channel_status(self, namespace: str, channel: str, change: Change) -> None:
        """Write what *change* makes of a Channel's status; see `change_status`."""
        await change_status(self._kube, namespace, channel, change)

    async def set_condition(self, namespace: str, channel: str, condition: Condition) -> None:
        """Write a condition of a Channel, unless it says what it said; raises as `channel`.

        Raises:
            NotFoundError: There is no such Channel.
        """

        def change(status: Object) -> Object | None:
            return with_condition(status, condition)

        await self.change_channel_status(namespace, channel, change)

    async def _list_runs(self, namespace: str) -> list[Object]:
        if not await self._tenants.is_tenant(namespace):
            return []
        try:
            return (await self._kube.list(AGENT_RUNS, namespace)).items
        except ForbiddenError as error:
            raise UnavailableError(str(error)) from error

    async def _read(self, resource: Resource, namespace: str, name: str) -> Object | None:
        if not await self._tenants.is_tenant(namespace):
            return None
        try:
            return await self._kube.get(resource, namespace, name)
        except NotFoundError:
            return None
        except ForbiddenError as error:  # a tenant's rights come a moment after its label
            raise UnavailableError(str(error)) from error


def uid_of(run: Object) -> RunUid:
    """Return the uid that the API server gave to a run."""
    return RunUid(run["metadata"]["uid"])


def _uid_of(run: Object) -> Iterable[str]:
    return (run["metadata"]["uid"],)


def _of_uid(run: Object | None, uid: RunUid) -> Object | None:
    return run if run is not None and uid_of(run) == uid else None


def _first_in(namespace: str, runs: Iterable[Object]) -> Object | None:
    return next((run for run in runs if run["metadata"]["namespace"] == namespace), None)
