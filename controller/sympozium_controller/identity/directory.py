"""From the bearer of a token to an identity, by the objects that stand behind it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sympozium.contract.errors import PermanentError
from sympozium.contract.names import RunUid, is_subject_token
from sympozium.contract.operate import OPERATOR_SERVICE_ACCOUNT
from sympozium.contract.resources import (
    AGENT_RUNS,
    CHANNELS,
    JOBS,
    PODS,
    RUN_LABEL,
    RUN_SERVICE_ACCOUNT,
    TENANT_LABEL,
    Object,
    Resource,
)
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, NotFoundError, UnavailableError
from sympozium.kube.tenants import TenantInformer, Tenants
from sympozium_controller.channels.deployment import channel_of_account
from sympozium_controller.channels.draining import draining_since
from sympozium_controller.identity.reviews import Bearer
from sympozium_controller.identity.who import (
    ChannelIdentity,
    Identity,
    OperatorIdentity,
    RouterIdentity,
    RunIdentity,
)
from sympozium_controller.runs.pod import API_SKILLS, MODEL_ANNOTATION, skill_service_account
from sympozium_controller.runs.view import (
    ROOM_FACTOR,
    controller_uid,
    is_finished_run,
    read_job,
    read_pod,
)

ROUTER_SERVICE_ACCOUNT = "sympozium-router"

RUN_GRACE = timedelta(seconds=60)
"""How long after its latest deadline a run's connection may last, if nobody closes it."""

_RUN_ACCOUNTS = {RUN_SERVICE_ACCOUNT, *(skill_service_account(skill) for skill in API_SKILLS)}


class NotAdmittedError(PermanentError):
    """The token is genuine, but its bearer has no place on the bus."""


@dataclass(frozen=True)
class Admission:
    """Who a connection is, and for how long at the most."""

    identity: Identity
    until: datetime


@dataclass(frozen=True)
class Copies:
    """The informers that identities are looked up in."""

    tenants: Tenants
    runs: TenantInformer
    jobs: TenantInformer
    pods: TenantInformer
    channels: TenantInformer
    deployments: TenantInformer
    """Those of channels."""


class Directory:
    """Knows which bearer is which part of the system."""

    def __init__(self, kube: Kube, copies: Copies, system_namespace: str) -> None:
        self._kube = kube
        self._copies = copies
        self._system_namespace = system_namespace

    async def admission(self, bearer: Bearer) -> Admission:
        """Return who *bearer* is.

        Raises:
            NotAdmittedError: Nobody who may use the bus.
            UnavailableError: An object is in no copy, and the API server is away.
        """
        namespace, account = bearer.namespace, bearer.service_account
        if account == ROUTER_SERVICE_ACCOUNT and namespace == self._system_namespace:
            return Admission(RouterIdentity(), bearer.expires)
        if account == OPERATOR_SERVICE_ACCOUNT and namespace == self._system_namespace:
            return Admission(OperatorIdentity(), bearer.expires)
        if account in _RUN_ACCOUNTS:
            return await self._run(bearer)
        channel = channel_of_account(account)
        if channel is not None and is_subject_token(channel):
            if not self._is_draining(namespace, account):
                await self._object(self._copies.channels, CHANNELS, namespace, channel)
            return Admission(ChannelIdentity(namespace, channel), bearer.expires)
        raise NotAdmittedError(
            f"cannot admit ServiceAccount {namespace}/{account} to the bus: it has no part in it"
        )

    def _is_draining(self, namespace: str, deployment: str) -> bool:
        """Return whether a channel shows what it owes, and its Channel was deleted."""
        if not self._copies.tenants.serves(namespace):
            return False
        held = self._copies.deployments.get(namespace, deployment)
        return held is not None and draining_since(held) is not None

    async def _run(self, bearer: Bearer) -> Admission:
        if not bearer.pod_name:
            raise NotAdmittedError("cannot admit a run to the bus: its token is bound to no pod")
        copies, namespace = self._copies, bearer.namespace
        pod = await self._object(copies.pods, PODS, namespace, bearer.pod_name, bearer.pod_uid)
        if read_pod(pod).has_ended:
            raise NotAdmittedError(f"cannot admit pod {bearer.pod_name!r} to the bus: it has ended")
        job_name = _controller_name(pod, JOBS)
        job = await self._object(copies.jobs, JOBS, namespace, job_name, controller_uid(pod))
        run_name = _controller_name(job, AGENT_RUNS)
        run = await self._object(copies.runs, AGENT_RUNS, namespace, run_name, controller_uid(job))
        if is_finished_run(run):
            raise NotAdmittedError(f"cannot admit run {run_name!r} to the bus: it has ended")
        view = read_job(job, model_annotation=MODEL_ANNOTATION)
        until = min(bearer.expires, view.created + ROOM_FACTOR * view.timeout + RUN_GRACE)
        uid = RunUid(run["metadata"]["uid"])
        return Admission(RunIdentity(namespace, uid, bearer.pod_name, bearer.pod_uid), until)

    async def is_over(self, identity: RunIdentity) -> bool:
        """Return whether a run that was admitted, or its pod, has ended or is gone.

        Nothing else ends it: the Job of a run at work may go before its pod has had its say.

        Raises:
            UnavailableError: An object is in no copy, and the API server is away.
        """
        copies, namespace = self._copies, identity.namespace
        try:
            pod = await self._object(
                copies.pods, PODS, namespace, identity.pod_name, identity.pod_uid
            )
            run_name = (pod["metadata"].get("labels") or {}).get(RUN_LABEL, "")
            run = await self._object(copies.runs, AGENT_RUNS, namespace, run_name, identity.uid)
        except NotAdmittedError:
            return True
        return read_pod(pod).has_ended or is_finished_run(run)

    async def _object(
        self, copy: TenantInformer, resource: Resource, namespace: str, name: str, uid: str = ""
    ) -> Object:
        if not await self._copies.tenants.is_tenant(namespace):
            raise NotAdmittedError(
                f"cannot admit to the bus: namespace {namespace!r} is no tenant; label it "
                f"{TENANT_LABEL}=true"
            )
        found = copy.get(namespace, name)
        if found is None or (uid and found["metadata"]["uid"] != uid):
            try:
                found = await self._kube.get(resource, namespace, name)
            except NotFoundError:
                found = None
            except ForbiddenError as error:  # our rights come a moment after the label
                raise UnavailableError(str(error)) from error
        if found is None or (uid and found["metadata"]["uid"] != uid):
            raise NotAdmittedError(
                f"cannot admit to the bus: {resource.kind} {namespace}/{name} is not there any more"
            )
        return found


def _controller_name(obj: Object, owner: Resource) -> str:
    for reference in obj["metadata"].get("ownerReferences") or []:
        kind = (reference["apiVersion"], reference["kind"])
        if reference.get("controller") and kind == (owner.api_version, owner.kind):
            return str(reference["name"])
    raise NotAdmittedError(
        f"cannot admit to the bus: {obj['metadata']['name']!r} belongs to no {owner.kind}"
    )
