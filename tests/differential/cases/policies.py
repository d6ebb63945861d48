"""Admission policies: what they see of a write, what comes before them, and what they say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.differential.case import APPLY, MERGE, Object, Sitting, case
from tests.differential.cases.builtin import pod
from tests.differential.cases.objects import config, widget
from tests.differential.kinds import GROUP, V1, V1BETA1

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
POLICIES = f"{ADMISSION}/validatingadmissionpolicies"
BINDINGS = f"{ADMISSION}/validatingadmissionpolicybindings"
IN_FORCE = "the policy is in force"
PROBE: Object = {
    "expression": "!has(request.name) || request.name != 'probe'",
    "message": IN_FORCE,
}
NEVER: Object = {"expression": "false", "message": "never"}
ALL_WRITES = ["CREATE", "UPDATE", "DELETE"]


def about(*resources: str, group: str = GROUP, **more: Any) -> Object:
    """Return a rule about all writes of some resources."""
    every: Object = {"apiGroups": [group], "apiVersions": ["v1"], "operations": ALL_WRITES}
    return {**every, "resources": list(resources), **more}


def here(s: Sitting) -> Object:
    """Return a selector of the namespace of the case."""
    return {"matchLabels": {"kubernetes.io/metadata.name": s.namespace}}


def _policy(s: Sitting, *validations: Object, rule: Object | None = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": s.namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [rule or about("widgets")]},
            "validations": [PROBE, *validations],
            **spec,
        },
    }


def _binding(s: Sitting, *actions: str) -> Object:
    spec: Object = {"policyName": s.namespace, "validationActions": list(actions)}
    return {
        "metadata": {"name": s.namespace},
        "spec": {**spec, "matchResources": {"namespaceSelector": here(s)}},
    }


@asynccontextmanager
async def bound(
    s: Sitting,
    *validations: Object,
    actions: tuple[str, ...] = ("Deny",),
    probe: tuple[str, Object] | None = None,
    **spec: Any,
) -> AsyncIterator[None]:
    """Keep a policy in force in the namespace of the case; *probe* is a write that it judges."""
    path, body = probe or (s.path("widgets", V1), widget("probe"))
    status, _, answer = await s.ask("POST", POLICIES, _policy(s, *validations, **spec))
    assert status == 201, answer
    status, _, answer = await s.ask("POST", BINDINGS, _binding(s, *actions))
    assert status == 201, answer
    try:
        while IN_FORCE not in str(await s.ask("POST", f"{path}?dryRun=All", body)):
            await s.pause()
        yield
    finally:
        await s.ask("DELETE", f"{BINDINGS}/{s.namespace}")
        await s.ask("DELETE", f"{POLICIES}/{s.namespace}")


@case()
async def denied_with_its_message(s: Sitting) -> None:
    widgets = s.path("widgets", V1)
    async with bound(
        s,
        {"expression": "object.spec.size < 10", "message": "too large"},
        {
            "expression": "!has(object.spec.code)",
            "message": "no codes",
            "messageExpression": "'no code like ' + object.spec.code",
            "reason": "Forbidden",
        },
        {"expression": "!has(object.spec.when)", "reason": "RequestEntityTooLarge"},
        {
            "expression": "!has(object.spec.flag)",
            "messageExpression": "string(object.spec.none)",
        },
    ):
        for spec in (
            {"size": 9},
            {"size": 11},
            {"code": "ab"},
            {"when": "2026-01-01T00:00:00Z"},
            {"flag": True},
            {"size": 11, "code": "ab"},
        ):
            await s.post(f"{widgets}?dryRun=All", widget("a", spec))
        await s.get(f"{widgets}/a")


@case()
async def rules_that_have_no_value(s: Sitting) -> None:
    async with bound(s, {"expression": "object.spec.size < 10", "message": "too large"}):
        await s.post(s.path("widgets", V1), widget("a"))


@case()
async def rules_that_have_no_value_and_are_ignored(s: Sitting) -> None:
    rule = {"expression": "object.spec.size < 10", "message": "too large"}
    async with bound(s, rule, failurePolicy="Ignore"):
        await s.post(s.path("widgets", V1), widget("a"))
        await s.post(s.path("widgets", V1), widget("b", {"size": 11}))


@case()
async def updates_and_deletions(s: Sitting) -> None:
    widgets = s.path("widgets", V1)
    async with bound(
        s,
        {"expression": "request.operation != 'DELETE'", "message": "this stays"},
        {
            "expression": "oldObject == null || object == null || object.spec == oldObject.spec",
            "messageExpression": "'it was ' + string(oldObject.spec.size)",
        },
    ):
        await s.post(widgets, widget("a", {"size": 1}))
        await s.patch(f"{widgets}/a", {"metadata": {"labels": {"x": "y"}}})
        await s.patch(f"{widgets}/a", {"spec": {"size": 2}})
        await s.patch(f"{widgets}/a/status", {"status": {"phase": "Done"}})
        await s.delete(f"{widgets}/a")
        await s.delete(widgets)
        await s.get(f"{widgets}/a")


@case()
async def defaults_and_pruning_come_before_policies(s: Sitting) -> None:
    async with bound(
        s,
        {"expression": "object.spec.size == 3 && object.spec.mode == 'open'", "message": "late"},
        {"expression": "!has(object.spec.colour)", "message": "not pruned"},
    ):
        await s.post(s.path("widgets", V1), widget("a", {"colour": "red"}))
        await s.post(s.path("widgets", V1), widget("b", {"size": 4}))


@case()
async def what_changes_a_pod_comes_before_policies(s: Sitting) -> None:
    rule = about("pods", group="")
    pods = s.path("pods")
    s.normal.counts_versions = False
    async with bound(
        s,
        {"expression": "object.spec.restartPolicy == 'Always'", "message": "no default yet"},
        {
            "expression": "object.spec.serviceAccountName == 'default' && "
            "object.spec.volumes.exists(v, has(v.projected))",
            "message": "no account yet",
        },
        rule=rule,
        probe=(pods, pod("probe")),
    ):
        for fields in ({}, {"restartPolicy": "Never"}, {"automountServiceAccountToken": False}):
            more: Object = dict(fields)
            status, _, answer = await s.ask("POST", f"{pods}?dryRun=All", pod("a", **more))
            s.say(f"a pod with {fields}", [status, answer.get("message")])


@case()
async def schemas_come_before_policies(s: Sitting) -> None:
    async with bound(s, NEVER):
        await s.post(s.path("widgets", V1), widget("a", {"size": -1}))
        await s.post(s.path("widgets", V1), widget("a", {"low": 2, "high": 1}))
        await s.post(s.path("widgets", V1), widget("A"))
        await s.post(f"{s.path('widgets', V1)}?fieldValidation=Strict", widget("a", {"hue": 1}))
        await s.post(s.path("widgets", V1), widget("a"))


@case()
async def rights_come_before_policies_and_conflicts_after(s: Sitting) -> None:
    widgets = s.path("widgets", V1)
    made = await s.post(widgets, widget("a"))
    async with bound(s, NEVER):
        await s.do("POST", widgets, widget("b"), **{"Impersonate-User": "eva-without-rights"})
        await s.post(widgets, widget("a"))
        await s.patch(f"{widgets}/nothing", {"spec": {"size": 1}})
        await s.patch(f"{widgets}/a", {"metadata": {"resourceVersion": "1"}})
        await s.put(f"{widgets}/a", {**made, "spec": {"size": -1}})
        await s.patch(f"{widgets}/a", {})
        await s.delete(f"{widgets}/nothing")


@case()
async def warned_and_not_denied(s: Sitting) -> None:
    rules = (
        {"expression": "object.spec.size < 10", "message": "too large"},
        {"expression": "object.spec.size % 2 == 0"},
    )
    async with bound(s, *rules, actions=("Warn", "Audit")):
        for size in (2, 11):
            await s.post(f"{s.path('widgets', V1)}?dryRun=All", widget("a", {"size": size}))


@case()
async def denied_and_warned_by_another_check(s: Sitting) -> None:
    async with bound(s, NEVER):
        await s.post(s.path("widgets", V1), widget("a", {"colour": "red"}))


@case()
async def conditions_and_variables(s: Sitting) -> None:
    conditions = [
        {"name": "labelled", "expression": "has(object.metadata.labels)"},
        {"name": "ours", "expression": "object.metadata.labels.whose == 'ours'"},
    ]
    variables = [
        {"name": "size", "expression": "object.spec.size"},
        {"name": "double", "expression": "variables.size * 2"},
    ]
    rule = {"expression": "variables.double < 10", "messageExpression": "string(variables.double)"}
    widgets = s.path("widgets", V1)
    ours = {"whose": "ours"}
    probe = (widgets, widget("probe", {"size": 1}, labels=ours))
    async with bound(s, rule, matchConditions=conditions, variables=variables, probe=probe):
        for labels in (None, {"whose": "theirs"}, ours, {"who": "ours"}):
            given = widget("a", {"size": 7}, **({} if labels is None else {"labels": labels}))
            await s.post(f"{widgets}?dryRun=All", given)


@case()
async def what_a_policy_is_told(s: Sitting) -> None:
    said = (
        "request.operation + ' ' + request.kind.kind + ' ' + request.resource.resource + ' ' "
        "+ request.requestKind.version + ' ' + request.kind.version + ' ' + object.apiVersion "
        "+ ' ' + request.name + ' in ' + request.namespace "
        "+ ' dry ' + string(request.dryRun) + ' from ' + string(oldObject != null) "
        "+ ' with ' + namespaceObject.metadata.name"
    )
    widgets = s.path("widgets", V1)
    await s.ask("POST", widgets, widget("old", {"size": 1}))
    other = {**widget("a"), "apiVersion": V1BETA1}
    async with bound(s, {"expression": "false", "messageExpression": said}):
        await s.post(widgets, widget("a"))
        await s.post(f"{widgets}?dryRun=All", widget("a"))
        await s.post(s.path("widgets", V1BETA1), other)
        await s.apply(f"{widgets}/a", widget("a"), "me")
        await s.apply(f"{widgets}/old", widget("old", {"size": 2}), "me", "&force=true")
        await s.put(f"{widgets}/old", widget("old", {"size": 2}))


@case()
async def subresources_are_named_apart(s: Sitting) -> None:
    widgets = s.path("widgets", V1)
    await s.ask("POST", widgets, widget("a"))
    rule = about("widgets/status", "widgets/scale")
    probing = f"{widgets}/a/status?dryRun=All"
    await s.ask("POST", POLICIES, _policy(s, NEVER, rule=rule))
    await s.ask("POST", BINDINGS, _binding(s, "Deny"))
    headers = {"Content-Type": MERGE}
    while (await s.ask("PATCH", probing, {"status": {"phase": "x"}}, **headers))[0] == 200:
        await s.pause()
    await s.patch(f"{widgets}/a/status", {"status": {"phase": "Done"}})
    await s.patch(f"{widgets}/a/scale", {"spec": {"replicas": 2}})
    await s.patch(widgets + "/a", {"spec": {"size": 2}})
    await s.ask("DELETE", f"{BINDINGS}/{s.namespace}")
    await s.ask("DELETE", f"{POLICIES}/{s.namespace}")


@case()
async def exact_versions_and_excluded_resources(s: Sitting) -> None:
    rules = {"resourceRules": [about("*")], "matchPolicy": "Exact"}
    excluded = {**rules, "excludeResourceRules": [about("bares")]}
    async with bound(s, NEVER, matchConstraints=excluded):
        await s.post(s.path("widgets", V1BETA1), {**widget("a"), "apiVersion": V1BETA1})
        bare = {"apiVersion": V1, "kind": "Bare", "metadata": {"name": "a"}}
        await s.post(s.path("bares", V1), bare)
        await s.post(s.path("widgets", V1), widget("b"))


@case()
async def deletions_by_the_garbage_collector_are_judged(s: Sitting) -> None:
    """What a deletion takes along stays as long as the policy says so."""
    maps, widgets = s.path("configmaps"), s.path("widgets", V1)
    owner = (await s.ask("POST", maps, config("owner")))[2]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner"}
    mine = [{**reference, "uid": owner["metadata"]["uid"]}]
    await s.ask("POST", widgets, widget("child", ownerReferences=mine))
    rule = {"expression": "request.operation != 'DELETE' || !has(oldObject.metadata.labels)"}
    async with bound(s, {**rule, "message": "labelled ones stay"}):
        await s.ask("PATCH", f"{widgets}/child", _label("x"), **{"Content-Type": MERGE})
        await s.delete(f"{widgets}/child")
        await s.delete(f"{maps}/owner")
        await s.ask("PATCH", f"{widgets}/child", _label(None), **{"Content-Type": MERGE})
        await s.gone(f"{widgets}/child")


def _label(value: str | None) -> Object:
    return {"metadata": {"labels": {"kept": value}}}


@case()
async def applied_and_never_created(s: Sitting) -> None:
    maps = s.path("configmaps")
    rule = {"expression": "object.data.k != 'bad'", "message": "no bad value"}
    about_maps = about("configmaps", group="")
    probe = (maps, config("probe", {"k": "v"}))
    async with bound(s, rule, rule=about_maps, probe=probe):
        await s.apply(f"{maps}/a", config("a", {"k": "bad"}), "me")
        await s.get(f"{maps}/a")
        await s.apply(f"{maps}/a", config("a", {"k": "good"}), "me")
        headers = {"Content-Type": APPLY}
        url = f"{maps}/a?fieldManager=you"
        await s.do("PATCH", url, config("a", {"k": "bad"}), **headers)
