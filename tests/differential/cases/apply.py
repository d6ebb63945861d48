"""Server-side apply: who owns what, conflicts, and what giving up a field does."""

from typing import Any

from tests.differential.case import APPLY, Object, Sitting, case
from tests.differential.cases.objects import config, widget
from tests.differential.cases.patches import deployment
from tests.differential.kinds import V1


@case()
async def applied_into_being(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.apply(path, config("a", {"k": "v"}), "one")
    await s.apply(path, config("a", {"k": "v"}), "one")
    await s.apply(path, config("a", {"k": "w"}), "one")


@case()
async def conflict_and_force(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.apply(path, config("a", {"k": "v", "l": "v"}), "one")
    await s.apply(path, config("a", {"k": "w"}), "two")
    await s.apply(path, config("a", {"k": "w", "l": "w"}), "two")
    await s.apply(path, config("a", {"k": "w"}), "two", "&force=true")
    await s.apply(path, config("a", {"k": "v", "l": "v"}), "one")
    await s.apply(path, config("a", {"l": "v"}), "one")


@case()
async def shared_field(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.apply(path, config("a", {"k": "v"}), "one")
    await s.apply(path, config("a", {"k": "v", "m": "n"}), "two")
    await s.apply(path, config("a", {}), "one")
    await s.apply(path, config("a", {"m": "n"}), "two")


@case()
async def field_that_is_given_up(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.apply(path, config("a", {"k": "v", "l": "w"}, labels={"x": "y"}), "one")
    await s.apply(path, config("a", {"l": "w"}), "one")
    await s.apply(path, config("a"), "one")


@case()
async def conflict_with_an_update(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.post(f"{s.path('configmaps')}?fieldManager=writer", config("a", {"k": "v"}))
    await s.apply(path, config("a", {"k": "w"}), "one")
    await s.apply(path, config("a", {"k": "v", "l": "x"}), "one")
    await s.patch(f"{path}?fieldManager=writer", {"data": {"l": "y"}})
    await s.apply(path, config("a", {"k": "v", "l": "x"}), "one")


@case()
async def apply_without_what_it_needs(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.patch(path, config("a"), APPLY)
    await s.apply(path, {"metadata": {"name": "a"}}, "one")
    await s.apply(path, config("b"), "one")
    await s.apply(path, config("a", managedFields=[]), "one")
    await s.apply(path, config("a", managedFields=[{"manager": "x"}]), "one")
    await s.apply(path, config("a", resourceVersion="1"), "one")
    await s.apply(path, {**config("a"), "kind": "Secret"}, "one")
    await s.apply(path, [], "one")


@case()
async def apply_unknown_field(s: Sitting) -> None:
    await s.apply(s.path("configmaps") + "/a", {**config("a"), "dota": {}}, "one")
    await s.apply(s.path("widgets", V1) + "/a", widget("a", {"colour": "red"}), "one")
    query = "&fieldValidation=Strict"
    await s.apply(s.path("widgets", V1) + "/b", widget("b", {"colour": "red"}), "one", query)


@case()
async def apply_dry_run(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.apply(path, config("a", {"k": "v"}), "one", "&dryRun=All")
    await s.get(path)


@case()
async def lists_by_key(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    parts: list[Object] = [{"name": "x", "weight": 2}, {"name": "y"}]
    await s.apply(path, widget("a", {"parts": parts}), "one")
    await s.apply(path, widget("a", {"parts": [{"name": "z"}, {"name": "x", "note": "n"}]}), "two")
    await s.apply(path, widget("a", {"parts": [{"name": "x", "weight": 3}]}), "two")
    await s.apply(path, widget("a", {"parts": parts[1:]}), "one")
    await s.apply(path, widget("a", {"parts": [{"name": "z"}, {"name": "z"}]}), "two")


@case()
async def sets_atoms_and_blocks(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    one: Object = {"unique": ["a", "b"], "atoms": [{"k": "1"}], "block": {"x": "1"}, "words": ["p"]}
    await s.apply(path, widget("a", one), "one")
    await s.apply(path, widget("a", {"unique": ["b", "c"]}), "two")
    await s.apply(path, widget("a", {"unique": ["a"]}), "one")
    for field, value in (("atoms", [{"k": "2"}]), ("block", {"y": "2"}), ("words", ["q"])):
        body = widget("a", {"unique": ["b", "c"], field: value})
        await s.apply(path, body, "two")
        await s.apply(path, body, "two", "&force=true")


@case()
async def apply_to_status(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a", {"size": 1}))
    conditions = [{"type": "Ready", "status": "True"}]
    status = {**widget("a"), "status": {"phase": "Done", "conditions": conditions}}
    await s.apply(f"{path}/status", status, "reporter")
    other = {**widget("a"), "status": {"conditions": [{"type": "Seen", "status": "True"}]}}
    await s.apply(f"{path}/status", other, "watcher")
    clash = {**widget("a"), "status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    await s.apply(f"{path}/status", clash, "watcher")
    await s.apply(path, {**widget("a", {"size": 1}), "status": {"phase": "No"}}, "one")
    await s.apply(f"{path}/status", {**widget("a"), "status": {}}, "reporter")
    await s.apply(
        s.path("widgets", V1) + "/nothing/status",
        {**status, "metadata": {"name": "nothing"}},
        "one",
    )


@case()
async def apply_to_a_workload(s: Sitting) -> None:
    s.normal.counts_versions = False
    path = s.path("deployments", "apps/v1") + "/a"
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", **deployment("a", paused=True)}
    await s.apply(path, wanted, "one", "&dryRun=All")
    await s.apply(path, wanted, "one")
    env = {"name": "main", "env": [{"name": "C", "value": "3"}]}
    other: Any = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"containers": [env]}}},
    }
    url = f"{path}?fieldManager=two&dryRun=All"
    status, headers, answer = await s.ask("PATCH", url, other, **{"Content-Type": APPLY})
    managed = answer["metadata"]["managedFields"]
    answer["metadata"]["managedFields"] = [one for one in managed if "subresource" not in one]
    del answer["status"]  # a controller's, which writes it when it comes to it
    s.note(f"PATCH {url}", status, headers, answer)
    s.say("env", answer["spec"]["template"]["spec"]["containers"])
    env["env"] = [{"name": "A", "value": "9"}]
    await s.apply(path, other, "two")


@case()
async def update_takes_ownership(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    made = await s.apply(path, widget("a", {"size": 1, "labels": {"k": "v"}}), "one")
    made["spec"]["labels"]["k"] = "w"
    await s.do("PUT", f"{path}?fieldManager=two", made)
    await s.apply(path, widget("a", {"size": 1}), "one")


@case()
async def owner_references_and_finalizers(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    owners = []
    for name in "xy":
        made = (await s.ask("POST", s.path("configmaps"), config(name)))[2]
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": name}
        owners.append({**owner, "uid": made["metadata"]["uid"]})
    first, second = owners
    await s.apply(path, config("a", ownerReferences=[first], finalizers=["example.com/a"]), "one")
    await s.apply(path, config("a", ownerReferences=[second], finalizers=["example.com/b"]), "two")
    await s.apply(path, config("a"), "one")
    await s.apply(path, config("a", finalizers=[]), "two")


@case()
async def service_ports(s: Sitting) -> None:
    path = s.path("services") + "/a"
    s.normal.counts_versions = False

    def service(*ports: Object) -> Object:
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "a"},
            "spec": {"clusterIP": "None", "ports": list(ports), "selector": {"a": "b"}},
        }

    await s.apply(path, service({"port": 80, "name": "http"}), "one")
    await s.apply(path, service({"port": 81, "name": "other"}), "two")
    await s.apply(path, service({"port": 82, "name": "http"}), "one")


@case()
async def empty_values(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.apply(
        path, widget("a", {"labels": {}, "words": [], "nested": {}, "maybe": None}), "one"
    )
    await s.apply(path, widget("a", {"labels": {"k": "v"}, "words": ["x"]}), "two")
