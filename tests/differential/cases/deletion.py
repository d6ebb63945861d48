"""Finalizers, owners and how deletion spreads."""

from typing import Any

from tests.differential.case import Object, Sitting, case
from tests.differential.cases.objects import config, widget
from tests.differential.kinds import V1

MERGE = {"Content-Type": "application/merge-patch+json"}


async def _family(s: Sitting, *, blocks: bool = False) -> tuple[str, str]:
    """Create an owner and its dependent; return their paths."""
    maps = s.path("configmaps")
    owner = (await s.ask("POST", maps, config("owner")))[2]
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": blocks,
    }
    await s.ask("POST", s.path("widgets", V1), widget("child", ownerReferences=[reference]))
    await s.get(s.path("widgets", V1) + "/child")
    return f"{maps}/owner", s.path("widgets", V1) + "/child"


def _options(policy: str) -> Object:
    return {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}


@case()
async def finalizer_that_holds(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.post(s.path("configmaps"), config("a", {"k": "v"}, finalizers=["example.com/wait"]))
    await s.delete(path)
    await s.delete(path)
    await s.patch(path, {"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}})
    await s.patch(path, {"data": {"k": "w"}})
    await s.post(s.path("configmaps"), config("a"))
    await s.patch(path, {"metadata": {"finalizers": None}})
    await s.get(path)


@case()
async def finalizer_of_a_custom_object(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a", finalizers=["example.com/wait"]))
    await s.delete(path)
    await s.patch(f"{path}/status", {"status": {"phase": "Ending"}})
    await s.patch(path, {"spec": {"size": 9}})
    await s.patch(path, {"metadata": {"finalizers": []}})
    await s.get(path)


@case()
async def background(s: Sitting) -> None:
    owner, child = await _family(s)
    await s.delete(owner, _options("Background"))
    await s.get(owner)
    await s.gone(child)


@case()
async def no_policy(s: Sitting) -> None:
    owner, child = await _family(s)
    await s.delete(owner)
    await s.gone(child)


@case()
async def orphan(s: Sitting) -> None:
    owner, child = await _family(s)
    await s.delete(owner, _options("Orphan"))
    await s.gone(owner)
    await s.get(child)


@case()
async def foreground(s: Sitting) -> None:
    owner, child = await _family(s, blocks=True)
    await s.ask("PATCH", child, {"metadata": {"finalizers": ["example.com/wait"]}}, **MERGE)
    await s.delete(owner, _options("Foreground"))
    await s.until(child, lambda answer: answer["metadata"].get("deletionTimestamp"))
    await s.get(owner)
    await s.ask("PATCH", child, {"metadata": {"finalizers": None}}, **MERGE)
    await s.gone(owner)


@case()
async def foreground_without_blocking(s: Sitting) -> None:
    owner, child = await _family(s)
    await s.delete(owner, _options("Foreground"))
    await s.gone(owner)
    await s.gone(child)


@case()
async def policies_in_the_query_and_wrong_ones(s: Sitting) -> None:
    maps = s.path("configmaps")
    for name in "abcd":
        await s.ask("POST", maps, config(name))
    await s.delete(f"{maps}/a?propagationPolicy=Background")
    await s.delete(f"{maps}/b?propagationPolicy=Sideways")
    await s.delete(f"{maps}/b", _options("Sideways"))
    both = {"propagationPolicy": "Orphan", "orphanDependents": True}
    await s.delete(f"{maps}/c", both)
    await s.delete(f"{maps}/d?gracePeriodSeconds=x")
    await s.delete(f"{maps}/d?gracePeriodSeconds=-5")


@case()
async def preconditions(s: Sitting) -> None:
    maps = s.path("configmaps")
    made = await s.post(maps, config("a"))
    await s.delete(f"{maps}/a", {"preconditions": {"uid": "another"}})
    status, _, answer = await s.ask(
        "DELETE", f"{maps}/a", {"preconditions": {"resourceVersion": "1"}}
    )
    s.say("another version", [status, answer["reason"]])
    metadata = made["metadata"]
    right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    await s.delete(f"{maps}/a", {"preconditions": right})


@case()
async def owner_that_never_was(s: Sitting) -> None:
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "never",
        "uid": "00000000-0000-0000-0000-000000000001",
    }
    await s.ask("POST", s.path("widgets", V1), widget("child", ownerReferences=[reference]))
    await s.gone(s.path("widgets", V1) + "/child")


@case()
async def owner_of_the_same_name_but_another_uid(s: Sitting) -> None:
    await s.ask("POST", s.path("configmaps"), config("owner"))
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "owner",
        "uid": "00000000-0000-0000-0000-000000000001",
    }
    await s.ask("POST", s.path("widgets", V1), widget("child", ownerReferences=[reference]))
    await s.gone(s.path("widgets", V1) + "/child")
    await s.get(s.path("configmaps") + "/owner")


@case()
async def one_of_two_owners_goes(s: Sitting) -> None:
    references = []
    for name in ("one", "two"):
        made = (await s.ask("POST", s.path("configmaps"), config(name)))[2]
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": name}
        references.append({**reference, "uid": made["metadata"]["uid"]})
    child = s.path("widgets", V1) + "/child"
    await s.ask("POST", s.path("widgets", V1), widget("child", ownerReferences=references))
    await s.ask("DELETE", s.path("configmaps") + "/one")
    while len((await s.ask("GET", child))[2]["metadata"]["ownerReferences"]) != 1:
        await s.pause()
    left = (await s.ask("GET", child))[2]["metadata"]["ownerReferences"]
    s.say("left", [one["name"] for one in left])
    await s.ask("DELETE", s.path("configmaps") + "/two")
    await s.gone(child)


@case()
async def namespace_with_what_is_in_it(s: Sitting) -> None:
    name = f"{s.namespace}-x"
    path = f"/api/v1/namespaces/{name}"
    s.normal.counts_versions = False
    await s.post("/api/v1/namespaces", {"metadata": {"name": name}})
    held = config("held", finalizers=["example.com/wait"])
    maps = s.path("configmaps", namespace=name)
    await s.ask("POST", maps, held)
    await s.ask("POST", s.path("widgets", V1, namespace=name), widget("a"))
    await s.delete(path)

    def is_ending(answer: Any) -> bool:
        return bool(answer["metadata"].get("deletionTimestamp"))

    await s.until(f"{maps}/held", is_ending)
    await s.gone(s.path("widgets", V1, namespace=name) + "/a")
    status, _, answer = await s.ask("POST", maps, config("late"))
    s.say("what is created now", [status, answer])
    await s.ask("PATCH", f"{maps}/held", {"metadata": {"finalizers": None}}, **MERGE)
    await s.gone(path)


@case()
async def namespaces_that_stay(s: Sitting) -> None:
    await s.delete("/api/v1/namespaces/default?dryRun=All")
    await s.delete("/api/v1/namespaces/kube-system?dryRun=All")


@case()
async def grace_of_a_pod_that_no_node_has(s: Sitting) -> None:
    path = s.path("pods")
    gate = {
        "schedulingGates": [{"name": "example.com/no"}],
        "containers": [{"name": "m", "image": "a:1"}],
    }
    await s.ask("POST", path, {"metadata": {"name": "a"}, "spec": gate})
    status, _, answer = await s.ask("DELETE", f"{path}/a")
    s.say("deleted", [status, answer["kind"], sorted(answer["metadata"])])
    await s.get(f"{path}/a")
