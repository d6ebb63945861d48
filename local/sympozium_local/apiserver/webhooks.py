"""Admission webhooks: programs that may change or refuse what is written."""

import asyncio
import base64
import random
import ssl
import uuid
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import jsonpatch
import msgspec

from sympozium_local.apiserver.errors import ApiError, bad_request
from sympozium_local.apiserver.matching import MUTATING, VALIDATING, Matcher, Write
from sympozium_local.apiserver.request import Call
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import Change, Store, decode, encode

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


class Webhooks:
    """Calls the webhooks whose rules match a write. Without any it costs nothing."""

    def __init__(self, store: Store, matcher: Matcher, session: aiohttp.ClientSession) -> None:
        self._store = store
        self._matcher = matcher
        self._session = session
        self._configured: dict[str, list[Object]] = {}
        self._trust: dict[str, ssl.SSLContext] = {}
        store.listen(self._follow)

    def _follow(self, change: Change) -> None:
        if self._configured.pop(change.key, None) is not None:
            self._trust.clear()  # certificates are renewed, and the old ones not used again

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
        write = self._match(hook, Write(call, call.served, obj, old))
        if write is None:
            return None
        response = await self._ask(hook, write)
        if response is None:
            return None
        self._require_allowed(hook, response, call)
        return _patched(hook, obj, response)

    async def validate(self, call: Call, obj: Object | None, old: Object | None) -> None:
        """Return if all validating webhooks, asked at once, allow the write.

        Raises:
            ApiError: One refuses it, or does not answer and its policy is Fail.
        """
        write = Write(call, call.served, obj, old)
        matching = [
            (hook, seen)
            for hook in self._hooks(VALIDATING)
            if (seen := self._match(hook, write)) is not None
        ]
        if not matching:
            return
        async with asyncio.TaskGroup() as group:
            asked = [(hook, group.create_task(self._answer(hook, seen))) for hook, seen in matching]
        for hook, task in asked:
            response = task.result()
            if isinstance(response, ApiError):
                raise response
            if response is not None:
                self._require_allowed(hook, response, call)

    async def _answer(self, hook: Object, write: Write) -> Object | ApiError | None:
        try:  # a refusal is a value here: it must not cancel the other questions
            return await self._ask(hook, write)
        except ApiError as error:
            return error

    def _match(self, hook: Object, write: Write) -> Write | None:
        """Return the write as *hook* wants to see it; None: not at all."""
        is_exact = hook.get("matchPolicy", "Equivalent") != "Equivalent"
        if not self._matcher.by_selectors(write, hook):
            return None
        served = self._matcher.by_rules(write, hook.get("rules") or (), is_exact=is_exact)
        return None if served is None else write.seen_as(served)

    async def _ask(self, hook: Object, write: Write) -> Object | None:
        call = write.call
        if call.is_dry_run and hook.get("sideEffects") not in {"None", "NoneOnDryRun"}:
            message = f"admission webhook {hook['name']!r} does not support dry run"
            raise bad_request(message)
        review = _review(write)
        try:
            async with asyncio.timeout(hook.get("timeoutSeconds") or DEFAULT_TIMEOUT_S):
                response = await self._post(hook["clientConfig"], review)
            if response.get("uid") != review["request"]["uid"]:
                raise _NoAnswerError(
                    "received invalid webhook response: expected "
                    f'response.uid="{review["request"]["uid"]}", got "{response.get("uid")}"'
                )
            if response.get("patch") and response.get("patchType") != "JSONPatch":
                raise _NoAnswerError(f'unsupported patch type "{response.get("patchType", "")}"')
        except (aiohttp.ClientError, TimeoutError, _NoAnswerError, OSError) as error:
            if hook.get("failurePolicy", "Fail") == "Ignore":
                return None
            cause = str(error) or type(error).__name__
            message = f'failed calling webhook "{hook["name"]}": {cause}'
            raise _internal(message) from error
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
        hosts = [
            f"{address['ip']}:{one['port']}"
            for subset in (row.object().get("subsets") or () if row else ())
            for address in subset.get("addresses") or ()
            for one in subset.get("ports") or ()
        ]
        if not hosts:
            raise _NoAnswerError(f'no endpoints available for service "{name}" port {port}')
        host = random.choice(hosts)  # noqa: S311 - spread
        return f"https://{host}{service.get('path', '/')}", f"{name}.{namespace}.svc"

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
        code = max(400, status.get("code") or 0)
        raise ApiError(code, status.get("reason") or "", message, status.get("details"))


class _NoAnswerError(Exception):
    """A webhook could not be asked, or said nothing that makes sense."""


def _internal(message: str) -> ApiError:
    details = {"causes": [{"message": message}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", details)


def _review(write: Write) -> Object:
    request = {**write.request(), "object": write.obj, "oldObject": write.old}
    request["uid"] = str(uuid.uuid4())
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def _patched(hook: Object, obj: Object, response: Object) -> Object:
    if not response.get("patch"):
        return obj
    try:
        operations: Any = decode(base64.b64decode(response["patch"]))
        changed: Object = jsonpatch.JsonPatch(operations).apply(obj)
    except (ValueError, TypeError, msgspec.DecodeError, jsonpatch.JsonPatchException) as error:
        message = f"webhook {hook['name']!r} answered with a patch that does not apply"
        raise _internal(message) from error
    changed.update(apiVersion=obj["apiVersion"], kind=obj["kind"])
    return changed
