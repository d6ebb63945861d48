"""What lies below an object apart from its status: scale, token, eviction, log, exec."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sympozium_local.apiserver.authn import ISSUER, Authenticator
from sympozium_local.apiserver.deletion import DeleteOptions
from sympozium_local.apiserver.errors import (
    ApiError,
    bad_request,
    conflict,
    invalid,
    method_not_allowed,
    not_found,
)
from sympozium_local.apiserver.meta import now_text
from sympozium_local.apiserver.objects import Objects
from sympozium_local.apiserver.patches import PatchError, apply_patch
from sympozium_local.apiserver.registry import Registry
from sympozium_local.apiserver.request import Call
from sympozium_local.apiserver.resource import ApiResource, Object
from sympozium_local.apiserver.store import encode

MIN_TOKEN_S, DEFAULT_TOKEN_S, MAX_TOKEN_S = 600, 3600, 2**32
"""Source: validation and defaults of authentication/v1 TokenRequest."""

KUBELET_TIMEOUT_S = 30.0
_MERGE_PATCH = "application/merge-patch+json"
_TOKEN_REQUEST = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
_SCALE = ApiResource("autoscaling", "v1", "scales", "scale", "Scale")
_BUILTIN_SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
}

Handler = Callable[[Call, web.BaseRequest], Awaitable[web.StreamResponse]]


class Subresources:
    """Answers calls about subresources that are no part of the stored object."""

    def __init__(
        self,
        objects: Objects,
        registry: Registry,
        authenticator: Authenticator,
        kubelet_socket: Path,
    ) -> None:
        self._objects = objects
        self._registry = registry
        self._authenticator = authenticator
        self._kubelet_socket = kubelet_socket
        self._handlers: dict[tuple[str, str], Handler] = {
            ("serviceaccounts", "token"): self._token,
            ("pods", "eviction"): self._evict,
            ("pods", "log"): self._log,
            ("pods", "exec"): self._exec,
            ("namespaces", "finalize"): self._finalize,
        }

    def handler(self, call: Call) -> Handler | None:
        """Return who answers *call*; None: it is about the object itself or its status."""
        if call.subresource == "scale":
            return self._scale
        return self._handlers.get((call.served.key, call.subresource))

    async def _token(self, call: Call, _request: web.BaseRequest) -> web.StreamResponse:
        if call.verb != "create":
            raise method_not_allowed()
        request = call.body if isinstance(call.body, dict) else {}
        spec = request.get("spec") or {}
        seconds = spec.get("expirationSeconds") or DEFAULT_TOKEN_S
        if not isinstance(seconds, int) or not MIN_TOKEN_S <= seconds <= MAX_TOKEN_S:
            is_long = isinstance(seconds, int) and seconds > MAX_TOKEN_S
            limit = "larger than 2^32 seconds" if is_long else "less than 10 minutes"
            why = f"Invalid value: {seconds}: may not specify a duration {limit}"
            cause = ("spec.expirationSeconds", "FieldValueInvalid", why)
            kind = ApiResource("authentication.k8s.io", "v1", "tokenrequests", "", "TokenRequest")
            raise invalid(kind, "", [cause])
        account = self._objects.row(call).object()
        identity = {"name": call.name, "namespace": call.namespace}
        await self._objects.admit(call, {**request, **_TOKEN_REQUEST, "metadata": identity})
        audiences = spec.get("audiences") or [ISSUER]
        pod = self._bound_pod(call, spec.get("boundObjectRef"))
        token = self._authenticator.issue(account, audiences, seconds, pod)
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        answer = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": call.name,
                "namespace": call.namespace,
                "uid": account["metadata"]["uid"],
                "creationTimestamp": now_text(),
            },
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": token, "expirationTimestamp": end.strftime("%Y-%m-%dT%H:%M:%SZ")},
        }
        return web.Response(body=encode(answer), status=201, content_type="application/json")

    def _bound_pod(self, call: Call, reference: Any) -> Object | None:
        if not reference:
            return None
        if reference.get("kind") != "Pod" or reference.get("apiVersion", "v1") != "v1":
            raise bad_request(f"cannot bind token to a {reference.get('kind')}: only to a Pod")
        pods = self._registry.stored("pods")
        assert pods is not None  # noqa: S101 - a built-in kind
        name = reference.get("name", "")
        row = self._objects.store.get("pods", call.namespace, name)
        if row is None:
            raise not_found(pods.resource, name)
        if reference.get("uid", row.uid) != row.uid:
            why = f"the UID in the bound object reference ({reference['uid']}) does not match the "
            raise conflict(pods.resource, name, f"{why}UID in record ({row.uid})")
        pod = row.object()
        if pod["spec"].get("serviceAccountName") != call.name:
            raise bad_request(
                f"cannot bind token for serviceaccount {call.name!r} to pod running with different "
                "serviceaccount name."
            )
        return pod

    async def _evict(self, call: Call, _request: web.BaseRequest) -> web.StreamResponse:
        if call.verb != "create":
            raise method_not_allowed()
        body = call.body if isinstance(call.body, dict) else {}
        options = DeleteOptions.of(call.query, body.get("deleteOptions"))
        deletion = replace(call, verb="delete", subresource="")
        if not call.is_dry_run:
            self._objects.adjust(self._objects.row(deletion), _mark_as_disrupted)
        await self._objects.delete(deletion, options)
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return web.Response(
            body=encode({**status, "code": 201}), status=201, content_type="application/json"
        )

    async def _finalize(self, call: Call, _request: web.BaseRequest) -> web.StreamResponse:
        if call.verb != "update":
            raise method_not_allowed()
        obj, _ = await self._objects.update(call)
        return web.Response(body=encode(obj), content_type="application/json")

    async def _scale(self, call: Call, _request: web.BaseRequest) -> web.StreamResponse:
        paths = call.served.scale or _BUILTIN_SCALE
        obj = call.served.read(self._objects.row(call))
        if call.verb == "get":
            return _json(_scale_of(obj, paths))
        wanted = call.body
        if call.verb == "patch":
            try:
                current = _scale_of(obj, paths)
                wanted = apply_patch(call.content_type, current, wanted, resource=_SCALE)
            except PatchError as error:
                raise ApiError(error.status, "BadRequest", str(error)) from error
        elif call.verb != "update":
            raise method_not_allowed()
        if not isinstance(wanted, dict):
            raise bad_request("the object provided is unrecognized: expected a Scale")
        replicas = (wanted.get("spec") or {}).get("replicas", 0)
        if not isinstance(replicas, int) or replicas < 0:
            why = f"Invalid value: {replicas}: must be greater than or equal to 0"
            raise invalid(_SCALE, call.name, [("spec.replicas", "FieldValueInvalid", why)])
        version = (wanted.get("metadata") or {}).get("resourceVersion", "")
        patch = _nested(paths["specReplicasPath"], replicas)
        if version:
            patch["metadata"] = {"resourceVersion": version}
        changed, _ = await self._objects.update(
            replace(call, verb="patch", content_type=_MERGE_PATCH, body=patch)
        )
        return _json(_scale_of(changed, paths))

    async def _exec(self, call: Call, _request: web.BaseRequest) -> web.StreamResponse:
        self._objects.row(call)
        message = "exec is not served by this cluster: there is no container runtime behind it"
        raise ApiError(501, "NotImplemented", message)

    async def _log(self, call: Call, request: web.BaseRequest) -> web.StreamResponse:
        if call.verb != "get":
            raise method_not_allowed()
        pod = self._objects.row(call).object()
        container = _container(pod, call.query.get("container", ""))
        query = {key: value for key, value in call.query.items() if key != "container"}
        _require_log_options(call.name, query)
        url = f"http://kubelet/containerLogs/{call.namespace}/{call.name}/{container}"
        follows = query.get("follow") in {"true", "1"}
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=5, sock_read=None if follows else KUBELET_TIMEOUT_S
        )
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        connector = aiohttp.UnixConnector(str(self._kubelet_socket))
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(url, params=query) as found,
            ):
                if found.status != 200:
                    raise ApiError(found.status, "BadRequest", (await found.text())[:1_000])
                response.enable_chunked_encoding()
                await response.prepare(request)
                async for piece in found.content.iter_any():
                    await response.write(piece)
        except (aiohttp.ClientError, TimeoutError) as error:
            if response.prepared:
                raise ConnectionError("the kubelet ended the log early") from error
            message = f"cannot read the log of pod {call.name!r}: the kubelet does not answer"
            raise ApiError(503, "ServiceUnavailable", message) from error
        return response


def _require_log_options(name: str, query: Object) -> None:
    """Refuse numbers that make no sense.

    Raises:
        ApiError: 400 or 422.
    """
    options = ApiResource("", "v1", "", "", "PodLogOptions")
    for field, least, why in (
        ("tailLines", 0, "must be greater than or equal to 0"),
        ("sinceSeconds", 1, "must be greater than 0"),
        ("limitBytes", 1, "must be greater than 0"),
    ):
        text = query.get(field, "")
        try:
            is_wrong = bool(text) and int(text) < least
        except ValueError:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
        if is_wrong:
            cause = (field, "FieldValueInvalid", f"Invalid value: {text}: {why}")
            raise invalid(options, name, [cause])


def _mark_as_disrupted(pod: Object) -> None:
    """Say that it is not the pod's fault that it ends, as every eviction does."""
    now = now_text()
    disrupted = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastProbeTime": None,
        "lastTransitionTime": now,
    }
    status = pod.setdefault("status", {})
    others = [one for one in status.get("conditions") or () if one["type"] != disrupted["type"]]
    status["conditions"] = [*others, disrupted]


def _json(obj: Object) -> web.Response:
    return web.Response(body=encode(obj), content_type="application/json")


def _container(pod: Object, wanted: str) -> str:
    name, spec = pod["metadata"]["name"], pod["spec"]
    names = [one["name"] for one in spec["containers"]]
    first = [one["name"] for one in spec.get("initContainers") or ()]
    if wanted:
        if wanted not in (*names, *first):
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(names) > 1 or first:
        also = f" or one of the init containers: [{' '.join(first)}]" if first else ""
        raise bad_request(
            f"a container name must be specified for pod {name}, choose one of: "
            f"[{' '.join(names)}]{also}"
        )
    return str(names[0])


def _scale_of(obj: Object, paths: Object) -> Object:
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Object = {"replicas": _at(obj, paths["statusReplicasPath"]) or 0}
    selector = _at(obj, paths.get("labelSelectorPath", ".spec.selector"))
    if isinstance(selector, dict):
        labels = selector.get("matchLabels") or {}
        selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": _at(obj, paths["specReplicasPath"]) or 0},
        "status": status,
    }


def _at(obj: Any, path: str) -> Any:
    for step in path.strip(".").split("."):
        obj = obj.get(step) if isinstance(obj, dict) else None
    return obj


def _nested(path: str, value: Any) -> Object:
    first, *rest = path.strip(".").split(".")
    return {first: _nested(".".join(rest), value) if rest else value}
