"""Custom objects: defaults, pruning, validation, rules, status and scale."""

from tests.differential.case import MERGE, Object, Sitting, case
from tests.differential.cases.objects import widget
from tests.differential.kinds import GROUP, V1, V1BETA1

BARES = f"{GROUP}/v1"


async def _each(s: Sitting, *specs: Object) -> None:
    """Try each spec without storing it."""
    for spec in specs:
        await s.post(s.path("widgets", V1) + "?dryRun=All", widget("a", spec))


@case()
async def defaults(s: Sitting) -> None:
    await _each(
        s, {}, {"nested": {"text": "x"}}, {"parts": [{"name": "x"}, {"name": "y", "weight": 0}]}
    )
    await s.post(s.path("widgets", V1) + "?dryRun=All", widget("a"))


@case()
async def nulls(s: Sitting) -> None:
    await _each(s, {"maybe": None, "size": None, "nested": None, "mode": None, "color": None})
    await _each(s, {"words": [None]}, {"labels": {"k": None}}, {"parts": [None]})


@case()
async def pruning(s: Sitting) -> None:
    await _each(
        s,
        {"colour": "red", "nested": {"deep": 1}},
        {"free": {"anything": {"at": "all"}}},
        {"parts": [{"name": "x", "hue": "y"}], "labels": {"k": "v"}},
        {
            "embedded": {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "x", "odd": 1},
                "x": 1,
            }
        },
    )


@case()
async def embedded_objects(s: Sitting) -> None:
    await _each(
        s,
        {"embedded": {"kind": "Pod"}},
        {"embedded": {}},
        {"embedded": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "A B"}}},
        {"embedded": {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": 1}}}},
    )


@case()
async def types(s: Sitting) -> None:
    await _each(
        s,
        {"size": "3"},
        {"size": 1.5},
        {"size": 2.0},
        {"size": True},
        {"color": 7},
        {"flag": "true"},
        {"words": "a"},
        {"words": [1]},
        {"labels": []},
        {"labels": {"k": 1}},
        {"nested": "x"},
        {"parts": [7]},
        {"parts": {"name": "x"}},
    )
    await s.post(s.path("widgets", V1), {**widget("a"), "spec": "x"})
    await s.post(s.path("widgets", V1), {**widget("a"), "spec": []})


@case()
async def numbers(s: Sitting) -> None:
    await _each(
        s,
        {"size": -1},
        {"size": 101},
        {"replicas": 2**31},
        {"size": 2**63},
        {"ratio": 0.75},
        {"ratio": 1},
        {"ratio": 1.5},
    )


@case()
async def strings(s: Sitting) -> None:
    await _each(
        s,
        {"code": "A"},
        {"code": "abcdefgh"},
        {"code": "a"},
        {"code": "äöü"},
        {"when": "yesterday"},
        {"when": "2026-01-01T00:00:00+01:00"},
        {"color": "green"},
        {"color": ""},
    )


@case()
async def collections(s: Sitting) -> None:
    await _each(
        s,
        {"words": ["a", "b", "c", "d"]},
        {"labels": {"a": "1", "b": "2", "c": "3"}},
        {"unique": ["a", "b", "a"]},
        {"parts": [{"name": "x"}, {"name": "x"}]},
        {"parts": [{"weight": 1}]},
        {"parts": [{"name": f"p{n}"} for n in range(11)]},
        {"port": 80},
        {"port": "http"},
        {"port": 1.5},
        {"port": True},
    )


@case()
async def several_errors_at_once(s: Sitting) -> None:
    await _each(s, {"size": -1, "color": "green", "code": "ABCDEFG", "words": [1, 2], "flag": 3})
    await _each(s, {"size": -1, "low": 2, "high": 1})


@case()
async def junctors(s: Sitting) -> None:
    await _each(s, {"either": "x"}, {"either": "x", "other": "o"})


@case()
async def rules(s: Sitting) -> None:
    await _each(
        s,
        {"low": 2, "high": 1},
        {"low": 2, "high": 1, "code": "abc"},
        {"low": 1, "high": 2},
        {"other": "x"},
        {"other": "ox"},
        {"mode": "shut"},
        {"parts": [{"name": "a", "weight": -1}]},
        {"low": 2, "high": 1, "other": "x", "mode": "shut"},
    )


@case()
async def transition_rules(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a", {"low": 1}))
    await s.patch(path, {"spec": {"mode": "other"}})
    await s.patch(path, {"spec": {"low": None}})
    await s.patch(path, {"spec": {"low": 5}})


@case()
async def invalid_objects_that_stay_as_they_are(s: Sitting) -> None:
    """A broken value that an update does not touch does not stand in its way."""
    name = f"r-{s.namespace}"
    plural = f"{name}s"
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "spec": {
                        "type": "object",
                        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                    }
                },
            }
        },
    }
    kind = f"R{s.namespace.replace('-', '')}"
    crd: Object = {
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
        },
    }
    await s.ask(
        "POST",
        crds,
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", **crd},
    )
    path = s.path(plural, f"{GROUP}/v1")
    while (await s.ask("GET", path))[0] != 200:
        await s.pause()
    made: Object = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": "a"}}
    await s.ask("POST", path, {**made, "spec": {"a": "long", "b": "long"}})
    place = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties"
    patch = [
        {
            "op": "add",
            "path": f"{place}/{key}/maxLength",
            "value": 2,
        }
        for key in "ab"
    ]
    await s.ask(
        "PATCH",
        f"{crds}/{plural}.{GROUP}",
        patch,
        **{"Content-Type": "application/json-patch+json"},
    )
    fresh: Object = {**made, "metadata": {"name": "b"}, "spec": {"a": "long"}}
    while (await s.ask("POST", f"{path}?dryRun=All", fresh))[0] != 422:
        await s.pause()
    for spec in ({"a": "x"}, {"a": "still long"}, {"b": "longer"}):
        status, _, answer = await s.ask(
            "PATCH", f"{path}/a", {"spec": spec}, **{"Content-Type": MERGE}
        )
        causes = (answer.get("details") or {}).get("causes")
        s.say(f"patch {spec}", {"status": status, "causes": causes, "spec": answer.get("spec")})
    await s.ask("DELETE", f"{crds}/{plural}.{GROUP}")


@case()
async def status_apart(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    made = await s.post(
        s.path("widgets", V1), {**widget("a", {"size": 1}), "status": {"phase": "No"}}
    )
    made["spec"]["size"], made["status"] = 9, {"phase": "Done"}
    made["metadata"]["labels"] = {"x": "y"}
    reported = await s.put(f"{path}/status", made)
    reported["status"] = {"phase": "Not"}
    reported["spec"]["size"] = 8
    await s.put(path, reported)
    await s.get(f"{path}/status")
    await s.post(f"{path}/status", made)
    await s.delete(f"{path}/status")


@case()
async def status_rules(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a"))
    for conditions in (
        [{"type": "Ready", "status": "Yes"}],
        [{"type": "Ready"}],
        [{"type": "Ready", "status": "True"}, {"type": "Ready", "status": "False"}],
        [{"type": "Ready", "status": "True", "lastTransitionTime": "now"}],
        [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    ):
        await s.patch(f"{path}/status", {"status": {"conditions": conditions}})


@case()
async def status_that_is_not_served(s: Sitting) -> None:
    bare: Object = {
        "apiVersion": BARES,
        "kind": "Bare",
        "metadata": {"name": "a"},
        "status": {"x": 1},
    }
    await s.post(s.path("bares", BARES), bare)
    await s.get(s.path("bares", BARES) + "/a/status")
    await s.patch(s.path("bares", BARES) + "/a", {"status": {"x": 2}, "odd": [1]})


@case()
async def scale(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a"))
    await s.get(f"{path}/scale")
    await s.patch(f"{path}/scale", {"spec": {"replicas": 4}})
    await s.patch(f"{path}/status", {"status": {"replicas": 2, "selector": "a=b"}})
    found = await s.get(f"{path}/scale")
    found["spec"]["replicas"] = 5
    await s.put(f"{path}/scale", found)
    await s.put(f"{path}/scale", found)
    await s.patch(f"{path}/scale", {"spec": {"replicas": -1}})
    await s.get(path)


@case()
async def another_version(s: Sitting) -> None:
    await s.post(s.path("widgets", V1BETA1), {**widget("a", {"size": 1}), "apiVersion": V1BETA1})
    await s.get(s.path("widgets", V1) + "/a")
    await s.get(s.path("widgets", V1BETA1) + "/a")
    await s.patch(s.path("widgets", V1BETA1) + "/a", {"spec": {"size": 2}})
    await s.get(s.path("widgets", V1) + "/a")
    await s.post(s.path("widgets", V1BETA1), widget("b"))


@case()
async def kind_without_namespaces(s: Sitting) -> None:
    orb: Object = {"apiVersion": BARES, "kind": "Orb", "metadata": {"name": s.namespace}}
    orbs = s.path("orbs", BARES, namespace="")
    await s.post(orbs, orb)
    await s.get(f"{orbs}/{s.namespace}")
    await s.get(s.path("orbs", BARES))
    await s.post(s.path("orbs", BARES), orb)
    await s.post(orbs, {**orb, "metadata": {"name": f"{s.namespace}-2", "namespace": "default"}})
    await s.delete(f"{orbs}/{s.namespace}")
    await s.post(s.path("widgets", V1, namespace=""), widget("a"))


@case()
async def large_numbers_and_unicode(s: Sitting) -> None:
    bare: Object = {"apiVersion": BARES, "kind": "Bare", "metadata": {"name": "a"}}
    more = {
        "i": 2**53 + 1,
        "f": 1.5,
        "e": 1e21,
        "z": 1.0,
        "t": "grüße \u2028 <&>",
        "n": None,
        "l": [None],
    }
    await s.post(s.path("bares", BARES), {**bare, **more})


@case()
async def status_that_has_a_default(s: Sitting) -> None:
    gem: Object = {"apiVersion": BARES, "kind": "Gem", "metadata": {"name": "a"}}
    await s.post(s.path("gems", BARES), {**gem, "status": {"phase": "Other"}})
    await s.get(s.path("gems", BARES) + "/a")
    await s.patch(s.path("gems", BARES) + "/a", {})
