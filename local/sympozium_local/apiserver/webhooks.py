"""Admission webhooks: programs that may change or refuse what is written."""

import asyncio
import base64
import ssl
import uuid
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import aiohttp
import jsonpatch
import msgspec

from sympozium_local.apiserver.errors import ApiError, bad_request
from sympozium_local.apiserver.registry import Registry, Served
from sympozium_local.apiserver.request import Call
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.selectors import matches_labels
from sympozium_local.apiserver.store import Change, Store, decode, encode

GROUP = "admissionregistration.k8s.io"
MUTATING = f"mutatingwebhookconfigurations.{GROUP}"
VALIDATING = f"validatingwebhookconfigurations.{GROUP}"
DEFAULT_TIMEOUT_S = 10

_UNSERVED_FIELDS = ("matchConditions",)


def check(obj: Object) -> list[tuple[str, str, str]]:
    """Return what of a webhook configuration is not served here, so that it is refused."""
    return [
        (f"webhooks[{index}].{field}", "FieldValueForbidden", "Forbidden: not served; remove it")
        for index, hook in enumerate(obj.get("webhooks") or ())
        for field in _UNSERVED_FIELDS
        if hook.get(field)
    ]


@dataclass(frozen=True)
class _Write:
    """One write as webhooks see it, in the version that they ask for."""

    call: Call
    served: Served
    obj: Object | None
    old: Object | None

    @property
    def operation(self) -> str:
        if self.obj is None:
            return "DELETE"
        return "CREATE" if self.old is None else "UPDATE"

    @property
    def either(self) -> Object:
        either = self.obj if self.obj is not None else self.old
        assert either is not None  # noqa: S101 - a write has an object before or after
        return either


class Webhooks:
    """Calls the webhooks whose rules match a write. Without any it costs nothing."""

    def __init__(self, store: Store, registry: Registry, session: aiohttp.ClientSession) -> None:
        self._store = store
        self._registry = registry
        self._session = session
        self._configured: dict[str, list[Object]] = {}
        self._trust: dict[str, ssl.SSLContext] = {}
        store.listen(self._follow)

    def _follow(self, change: Change) -> None:
        self._configured.pop(change.key, None)

    def _hooks(self, key: str) -> list[Object]:
        hooks = self._configured.get(key)
        if hooks is None:
            hooks = self._configured[key] = [
                hook
                for row in self._store.select(key)
                for hook in row.object().get("webhooks") or ()
            ]
        return hooks

    async def mutate(self, call: Call, obj: Object, old: Object | None) -> Object:
        """Return *obj* as the mutating webhooks, one after the other, want it.

        Raises:
            ApiError: One refuses it, or does not answer and its policy is Fail.
        """
        asked: list[tuple[Object, Object]] = []
        for hook in self._hooks(MUTATING):
            changed = await self._change(call, hook, obj, old)
            if changed is not None:
                obj = changed
                asked.append((hook, obj))
        for hook, left in asked:
            if hook.get("reinvocationPolicy") == "IfNeeded" and left != obj:
                obj = await self._change(call, hook, obj, old) or obj
        return obj

    async def _change(
        self, call: Call, hook: Object, obj: Object, old: Object | None
    ) -> Object | None:
        """Return what one webhook makes of *obj*; None: it was not asked, or is to be ignored."""
        served = self._match(call, hook, obj, old)
        if served is None:
            return None
        response = await self._ask(hook, _in_version(call, served, obj, old))
        if response is None:
            return None
        self._require_allowed(hook, response, call)
        return _patched(hook, obj, response)

    async def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        """Return if all validating webhooks, asked at once, allow the write.

        Raises:
            ApiError: One refuses it, or does not answer and its policy is Fail.
        """
        matching = [
            (hook, served)
            for hook in self._hooks(VALIDATING)
            if (served := self._match(call, hook, obj, old)) is not None
        ]
        if not matching:
            return
        async with asyncio.TaskGroup() as group:
            asked = [
                (hook, group.create_task(self._answer(hook, _in_version(call, served, obj, old))))
                for hook, served in matching
            ]
        for hook, task in asked:
            response = task.result()
            if isinstance(response, ApiError):
                raise response
            if response is not None:
                self._require_allowed(hook, response, call)

    async def _answer(self, hook: Object, write: _Write) -> Object | ApiError | None:
        try:  # a refusal is a value here: it must not cancel the other questions
            return await self._ask(hook, write)
        except ApiError as error:
            return error

    def _match(
        self, call: Call, hook: Object, obj: Object | None, old: Object | None
    ) -> Served | None:
        """Return in which version *hook* wants to see the write; None: not at all."""
        operation = "DELETE" if obj is None else "CREATE" if old is None else "UPDATE"
        if call.served.key in {MUTATING, VALIDATING}:
            return None  # or a broken webhook could not be removed
        states = [state for state in (obj, old) if state is not None]
        if not any(matches_labels(hook.get("objectSelector"), _labels(one)) for one in states):
            return None  # taking a label away is still seen
        if not self._selects_namespace(call, hook, states[0]):
            return None
        versions = [call.served]
        if hook.get("matchPolicy", "Equivalent") == "Equivalent":
            versions += [
                one for one in self._registry.versions(call.served.key) if one is not call.served
            ]
        for served in versions:
            for rule in hook.get("rules") or ():
                if _rule_matches(rule, served, operation, call.subresource):
                    return served
        return None

    def _selects_namespace(self, call: Call, hook: Object, obj: Object) -> bool:
        selector = hook.get("namespaceSelector")
        if not selector:
            return True
        if call.served.key == "namespaces":
            return matches_labels(selector, _labels(obj))
        if not call.namespace:
            return True
        row = self._store.get("namespaces", "", call.namespace)
        return matches_labels(selector, _labels(row.object()) if row else {})

    async def _ask(self, hook: Object, write: _Write) -> Object | None:
        call = write.call
        if call.is_dry_run and hook.get("sideEffects") not in {"None", "NoneOnDryRun"}:
            message = f"admission webhook {hook['name']!r} does not support dry run"
            raise bad_request(message)
        review = _review(write)
        try:
            async with asyncio.timeout(hook.get("timeoutSeconds") or DEFAULT_TIMEOUT_S):
                response = await self._post(hook["clientConfig"], review)
            if response.get("uid") != review["request"]["uid"]:
                raise _NoAnswerError("the answer is to another request")
        except (aiohttp.ClientError, TimeoutError, _NoAnswerError, OSError) as error:
            if hook.get("failurePolicy", "Fail") == "Ignore":
                return None
            cause = str(error) or type(error).__name__
            message = f'failed calling webhook "{hook["name"]}": {cause}'
            raise ApiError(500, "InternalError", f"Internal error occurred: {message}") from error
        return response

    async def _post(self, config: Object, review: Object) -> Object:
        url, name = self._address(config)
        answer: AbstractAsyncContextManager[aiohttp.ClientResponse] = self._session.post(
            url,
            data=encode(review),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            ssl=self._context(config.get("caBundle", "")),
            server_hostname=name,
            allow_redirects=False,
        )
        async with answer as got:
            if got.status != 200:
                raise _NoAnswerError(f"the server answered {got.status}")
            try:
                response = decode(await got.read()).get("response")
            except (msgspec.DecodeError, AttributeError) as error:
                raise _NoAnswerError("the answer is no AdmissionReview") from error
            if not isinstance(response, dict):
                raise _NoAnswerError("the answer has no response")
            return response

    def _address(self, config: Object) -> tuple[str, str | None]:
        if config.get("url"):
            return config["url"], None
        service = config["service"]
        namespace, name, port = service["namespace"], service["name"], service.get("port", 443)
        row = self._store.get("endpoints", namespace, name)
        for subset in row.object().get("subsets") or () if row else ():
            for address in subset.get("addresses") or ():
                for one in subset.get("ports") or ():
                    host = f"{address['ip']}:{one['port']}"
                    return f"https://{host}{service.get('path', '/')}", f"{name}.{namespace}.svc"
        raise _NoAnswerError(f'no endpoints available for service "{name}" port {port}')

    def _context(self, bundle: str) -> ssl.SSLContext:
        context = self._trust.get(bundle)
        if context is None:
            text = base64.b64decode(bundle).decode() if bundle else None
            context = self._trust[bundle] = ssl.create_default_context(cadata=text)
        return context

    def _require_allowed(self, hook: Object, response: Object, call: Call) -> None:
        call.warnings += response.get("warnings") or ()
        if response.get("allowed"):
            return
        status = response.get("status") or {}
        message = f'admission webhook "{hook["name"]}" denied the request'
        if said := status.get("message") or status.get("reason"):
            message += f": {said}"
        else:
            message += " without explanation"
        code = status.get("code") or 403
        reason = status.get("reason") or ("Forbidden" if code == 403 else "")
        raise ApiError(code if code >= 400 else 403, reason, message, status.get("details"))


def _labels(obj: Object) -> Object:
    return obj["metadata"].get("labels") or {}


class _NoAnswerError(Exception):
    """A webhook could not be asked, or said nothing that makes sense."""


def _rule_matches(rule: Object, served: Served, operation: str, subresource: str) -> bool:
    resource = served.resource
    full = f"{resource.plural}/{subresource}" if subresource else resource.plural
    patterns = {full, "*/*"}
    patterns |= {f"{resource.plural}/*", f"*/{subresource}"} if subresource else {
        "*", f"{resource.plural}/*"
    }  # fmt: skip
    scope = rule.get("scope") or "*"
    return (
        bool({"*", operation} & set(rule.get("operations") or ()))
        and bool({"*", resource.group} & set(rule.get("apiGroups") or ()))
        and bool({"*", resource.version} & set(rule.get("apiVersions") or ()))
        and bool(patterns & set(rule.get("resources") or ()))
        and scope in {"*", "Namespaced" if resource.namespaced else "Cluster"}
    )


def _in_version(call: Call, served: Served, obj: Object | None, old: Object | None) -> _Write:
    version = {"apiVersion": served.resource.api_version}
    return _Write(
        call,
        served,
        None if obj is None else {**obj, **version},
        None if old is None else {**old, **version},
    )


def _review(write: _Write) -> Object:
    call, resource = write.call, write.served.resource
    asked = call.served.resource
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    plural = {"group": resource.group, "version": resource.version, "resource": resource.plural}
    request: Object = {
        "uid": str(uuid.uuid4()),
        "kind": kind,
        "resource": plural,
        "requestKind": {**kind, "version": asked.version},
        "requestResource": {**plural, "version": asked.version},
        "name": call.name or write.either["metadata"].get("name", ""),
        "operation": write.operation,
        "userInfo": call.user.as_object(),
        "object": write.obj,
        "oldObject": write.old,
        "dryRun": call.is_dry_run,
        "options": {"kind": f"{write.operation.title()}Options", "apiVersion": "meta.k8s.io/v1"},
    }
    if call.namespace:
        request["namespace"] = call.namespace
    if call.subresource:
        request["subResource"] = call.subresource
        request["requestSubResource"] = call.subresource
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def _patched(hook: Object, obj: Object, response: Object) -> Object:
    if not response.get("patch"):
        return obj
    try:
        operations: Any = decode(base64.b64decode(response["patch"]))
        changed: Object = jsonpatch.JsonPatch(operations).apply(obj)
    except (ValueError, TypeError, msgspec.DecodeError, jsonpatch.JsonPatchException) as error:
        message = (
            f"Internal error occurred: webhook {hook['name']!r} answered with a patch that does "
            "not apply"
        )
        raise ApiError(500, "InternalError", message) from error
    changed.update(apiVersion=obj["apiVersion"], kind=obj["kind"])
    return changed
