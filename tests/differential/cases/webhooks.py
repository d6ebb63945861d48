"""Admission webhooks: in which order they are asked, what they are shown, and what they may do."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.differential.case import MERGE, Object, Sitting, case
from tests.differential.cases.objects import widget
from tests.differential.cases.policies import ADMISSION, NEVER, about, bound, here
from tests.differential.judge import Decide, Judge, judging
from tests.differential.kinds import V1, V1BETA1

MUTATING, VALIDATING = "mutatingwebhookconfigurations", "validatingwebhookconfigurations"

_CAUSE = {"field": "spec.size", "message": "too odd", "reason": "FieldValueInvalid"}


@asynccontextmanager
async def asking(
    s: Sitting, kind: str = VALIDATING, name: str = "judge", **more: Any
) -> AsyncIterator[Judge]:
    """Keep a webhook in force in the namespace of the case."""
    path = f"{ADMISSION}/{kind}"
    async with judging() as judge:
        hook = {
            "name": f"{name}.diff.example.com",
            "clientConfig": judge.client_config,
            "rules": [about("widgets")],
            "namespaceSelector": here(s),
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **more,
        }
        configured = {"metadata": {"name": f"{name}-{s.namespace}"}, "webhooks": [hook]}
        status, _, answer = await s.ask("POST", path, configured)
        assert status == 201, answer
        try:
            while not judge.asked:
                probe = widget("probe", {"size": 1})
                await s.ask("POST", s.path("widgets", V1) + "?dryRun=All", probe)
                await s.pause()
            judge.asked.clear()
            yield judge
        finally:
            await s.ask("DELETE", f"{path}/{name}-{s.namespace}")


def _deny(**status: Any) -> Object:
    return {"allowed": False, "status": status} if status else {"allowed": False}


def _always(answer: Object) -> Decide:
    return lambda _: answer


def _changing(*operations: Object, **more: Any) -> Object:
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": patch, **more}


def _set(field: str, value: Any) -> Object:
    return {"op": "add", "path": f"/spec/{field}", "value": value}


def _names(judge: Judge) -> list[str]:
    return [f"{one['operation']} {one['name']}" for one in judge.asked]


@case()
async def denied_with_its_message(s: Sitting) -> None:
    async with asking(s) as judge:
        for answer in (
            _deny(),
            _deny(message="not today"),
            _deny(message="too many", code=429, reason="TooManyRequests"),
            _deny(message="invalid", code=422, reason="Invalid", details={"causes": [_CAUSE]}),
            _deny(reason="because"),
            _deny(message="odd", code=200),
        ):
            judge.decide = _always(answer)
            await s.post(s.path("widgets", V1), widget("a", {}))
        await s.get(s.path("widgets", V1) + "/a")


@case()
async def allowed_with_warnings(s: Sitting) -> None:
    async with asking(s) as judge:
        judge.decide = lambda _: {"allowed": True, "warnings": ["mind the gap", "and the step"]}
        await s.post(s.path("widgets", V1), widget("a", {}))
        judge.decide = lambda _: {**_deny(message="no"), "warnings": ["mind the gap"]}
        await s.post(s.path("widgets", V1), widget("b", {}))


@case()
async def what_a_webhook_is_shown(s: Sitting) -> None:
    widgets = s.path("widgets", V1)
    async with asking(s) as judge:
        await s.ask("POST", widgets, widget("a", {"colour": "red"}))
        merge = {"Content-Type": MERGE}
        await s.ask("PATCH", f"{widgets}/a", {"spec": {"size": 2}}, **merge)
        await s.ask("PATCH", f"{widgets}/a/status", {"status": {"phase": "Done"}}, **merge)
        other = {**widget("b"), "apiVersion": V1BETA1}
        await s.ask("POST", s.path("widgets", V1BETA1) + "?dryRun=All", other)
        await s.ask("DELETE", f"{widgets}/a")
        for asked in judge.asked:
            asked.pop("uid")
            asked.pop("userInfo")
            for state in ("object", "oldObject"):
                (asked.get(state) or {"metadata": {}})["metadata"].pop("managedFields", None)
            s.say(f"{asked['operation']} {asked['name']}", asked)


@case()
async def schemas_come_before_validating_webhooks(s: Sitting) -> None:
    async with asking(s) as judge:
        await s.post(s.path("widgets", V1), widget("a", {"size": -1}))
        await s.post(s.path("widgets", V1), widget("a", {"low": 2, "high": 1}))
        s.say("asked", _names(judge))


@case()
async def mutating_webhooks_come_before_schemas(s: Sitting) -> None:
    async with asking(s, MUTATING) as judge:
        judge.decide = lambda _: _changing(_set("size", 5))
        await s.post(s.path("widgets", V1), widget("a", {"size": -1}))
        judge.decide = lambda _: _changing(_set("size", 101))
        await s.post(s.path("widgets", V1), widget("b", {"size": 1}))
        s.say("asked", _names(judge))


@case()
async def what_a_mutating_webhook_leaves_is_completed(s: Sitting) -> None:
    async with asking(s, MUTATING) as judge:
        judge.decide = lambda _: _changing(
            {"op": "remove", "path": "/spec/size"},
            _set("colour", "red"),
            _set("parts", [{"name": "x"}]),
            {"op": "add", "path": "/metadata/labels", "value": {"by": "judge"}},
        )
        await s.post(s.path("widgets", V1), widget("a", {}))
        first = judge.asked[0]["object"]
        s.say("shown before", first.get("spec"))


@case()
async def defaults_come_before_mutating_webhooks_and_those_before_policies(s: Sitting) -> None:
    rule = {
        "expression": "object.spec.size == 3",
        "messageExpression": "'size is ' + string(object.spec.size)",
    }
    async with bound(s, rule), asking(s, MUTATING) as judge:
        await s.post(s.path("widgets", V1), widget("a", {}))
        judge.decide = lambda _: _changing(_set("size", 4))
        await s.post(s.path("widgets", V1), widget("b", {}))
        judge.decide = lambda _: _changing(_set("size", 3))
        await s.post(s.path("widgets", V1), widget("c", {"size": 9}))
        s.say("asked", _names(judge))


@case()
async def policies_come_before_validating_webhooks(s: Sitting) -> None:
    async with asking(s) as judge, bound(s, NEVER):
        judge.asked.clear()  # the policy was in force only after some more probes
        await s.post(s.path("widgets", V1), widget("a", {}))
        s.say("asked", _names(judge))


@case()
async def both_kinds_of_webhooks(s: Sitting) -> None:
    async with asking(s, MUTATING, "first") as first, asking(s) as second:
        first.asked.clear()
        first.decide = lambda _: _changing(_set("size", 7))
        second.decide = lambda asked: _deny(message=f"{asked['object']['spec']['size']}")
        await s.post(s.path("widgets", V1), widget("a", {}))
        s.say("asked", [_names(first), _names(second)])


@case()
async def existing_and_missing_objects(s: Sitting) -> None:
    widgets = s.path("widgets", V1)
    await s.ask("POST", widgets, widget("a", {}))
    async with asking(s) as judge:
        await s.post(widgets, widget("a", {}))
        await s.patch(f"{widgets}/nothing", {"spec": {"size": 1}})
        await s.delete(f"{widgets}/nothing")
        await s.patch(f"{widgets}/a", {"metadata": {"resourceVersion": "1"}})
        await s.delete(f"{widgets}/a", {"preconditions": {"uid": "another"}})
        s.say("asked", _names(judge))


@case()
async def answers_that_make_no_sense(s: Sitting) -> None:
    async with asking(s, MUTATING) as judge:
        judge.decide = lambda _: {"allowed": True, "uid": "another"}
        await s.post(s.path("widgets", V1), widget("a", {}))
        judge.decide = lambda _: _changing({"op": "remove", "path": "/spec/nothing"})
        await s.post(s.path("widgets", V1), widget("a", {}))
        judge.decide = lambda _: _changing(_set("size", 5), patchType="Odd")
        await s.post(s.path("widgets", V1), widget("a", {}))
    async with asking(s, MUTATING, "easy", failurePolicy="Ignore") as judge:
        judge.decide = lambda _: {"allowed": True, "uid": "another"}
        await s.post(s.path("widgets", V1), widget("a", {}))


@case()
async def dry_runs_of_webhooks_with_side_effects(s: Sitting) -> None:
    widgets = s.path("widgets", V1)
    async with asking(s, sideEffects="NoneOnDryRun"):
        await s.post(f"{widgets}?dryRun=All", widget("a", {}))
