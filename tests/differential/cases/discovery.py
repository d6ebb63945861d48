"""What is served: discovery, OpenAPI, version and health."""

import json
from typing import Any

from tests.differential.case import Sitting, case
from tests.differential.kinds import GROUP

OURS = {
    "core": "v1",
    "batch": "batch/v1",
    "apps": "apps/v1",
    "rbac": "rbac.authorization.k8s.io/v1",
}


@case()
async def health(s: Sitting) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        await s.get(path)


@case()
async def version(s: Sitting) -> None:
    answer = (await s.ask("GET", "/version"))[2]
    s.say("fields", sorted(answer))
    s.say("release", [answer["major"], answer["minor"]])


@case()
async def api_versions(s: Sitting) -> None:
    answer = (await s.ask("GET", "/api"))[2]
    s.say("api", [answer["kind"], answer["versions"]])
    await s.get("/api/v2")
    await s.get("/apis/none.example.com")
    await s.get("/apis/none.example.com/v1")


@case()
async def custom_group(s: Sitting) -> None:
    await s.get(f"/apis/{GROUP}")
    for name in ("v1", "v1beta1"):
        answer = (await s.ask("GET", f"/apis/{GROUP}/{name}"))[2]
        shared = [
            one
            for one in answer["resources"]
            if one["name"].startswith(("widgets", "bares", "orbs", "gems"))
        ]
        for one in shared:
            one.pop("storageVersionHash", None)  # a hash over Go's own words for it
        s.say(name, [answer["groupVersion"], sorted(shared, key=lambda one: str(one["name"]))])


@case()
async def group_of_ours(s: Sitting) -> None:
    answer = (await s.ask("GET", "/apis/sympozium.ai/v1alpha1"))[2]
    for one in answer["resources"]:
        one.pop("storageVersionHash", None)
    s.say("resources", sorted(answer["resources"], key=lambda one: str(one["name"])))


async def _resource(s: Sitting, path: str, *names: str) -> None:
    answer = (await s.ask("GET", path))[2]
    found: dict[str, Any] = {one["name"]: one for one in answer["resources"]}
    for name in names:
        found[name].pop("storageVersionHash", None)
        s.say(name, found[name])


@case()
async def core_kinds(s: Sitting) -> None:
    await _resource(
        s,
        "/api/v1",
        "pods",
        "pods/status",
        "pods/log",
        "pods/exec",
        "pods/eviction",
        "configmaps",
        "secrets",
        "services",
        "serviceaccounts",
        "serviceaccounts/token",
        "namespaces",
        "namespaces/status",
        "nodes",
        "events",
        "persistentvolumeclaims",
        "resourcequotas",
        "limitranges",
        "endpoints",
    )


@case()
async def other_kinds(s: Sitting) -> None:
    await _resource(s, "/apis/batch/v1", "jobs", "jobs/status", "cronjobs")
    await _resource(
        s,
        "/apis/apps/v1",
        "deployments",
        "deployments/scale",
        "replicasets",
        "statefulsets",
        "daemonsets",
    )
    await _resource(
        s, "/apis/rbac.authorization.k8s.io/v1", "roles", "rolebindings", "clusterroles"
    )
    await _resource(s, "/apis/apiextensions.k8s.io/v1", "customresourcedefinitions")
    await _resource(s, "/apis/coordination.k8s.io/v1", "leases")
    await _resource(s, "/apis/authentication.k8s.io/v1", "tokenreviews", "selfsubjectreviews")
    await _resource(
        s, "/apis/authorization.k8s.io/v1", "subjectaccessreviews", "selfsubjectrulesreviews"
    )
    await _resource(s, "/apis/networking.k8s.io/v1", "networkpolicies", "ingresses")
    await _resource(s, "/apis/policy/v1", "poddisruptionbudgets")
    await _resource(s, "/apis/admissionregistration.k8s.io/v1", "validatingwebhookconfigurations")


@case()
async def openapi_of_a_custom_kind(s: Sitting) -> None:
    path = f"/openapi/v3/apis/{GROUP}/v1"
    index = (await s.ask("GET", "/openapi/v3"))[2]
    index = (json.loads(index) if isinstance(index, str) else index)["paths"]  # typed as a text
    s.say("is in the index", f"apis/{GROUP}/v1" in index)
    answer = (await s.ask("GET", path))[2]
    while "Widget" not in str(answer):  # it is made anew whenever a kind of the group comes or goes
        await s.pause()
        answer = (await s.ask("GET", path))[2]
    schemas = answer["components"]["schemas"]
    widget = schemas["com.example.diff.v1.Widget"]
    for part in ("spec", "status"):
        s.say(part, widget["properties"][part])
    s.say("kind", widget["x-kubernetes-group-version-kind"])
    s.say("properties", sorted(widget["properties"]))
    patch = answer["paths"][f"/apis/{GROUP}/v1/namespaces/{{namespace}}/widgets/{{name}}"]["patch"]
    s.say("patch takes", sorted(one["name"] for one in patch["parameters"]))
    s.say("patch is for", patch["x-kubernetes-group-version-kind"])


@case()
async def openapi_of_built_in_kinds(s: Sitting) -> None:
    answer = (await s.ask("GET", "/openapi/v3/api/v1"))[2]
    schemas = answer["components"]["schemas"]
    for name in (
        "io.k8s.api.core.v1.Pod",
        "io.k8s.api.core.v1.ConfigMap",
        "io.k8s.api.core.v1.Container",
    ):
        schema = schemas[name]
        s.say(
            name,
            [
                sorted(schema["properties"]),
                schema.get("required"),
                schema.get("x-kubernetes-group-version-kind"),
            ],
        )
    env = schemas["io.k8s.api.core.v1.Container"]["properties"]["env"]
    env.pop("description", None)
    s.say("env", {key: value for key, value in env.items() if key != "items"})


@case()
async def paths_that_are_not_there(s: Sitting) -> None:
    for path in (
        "/openapi/v3/apis/none.example.com/v1",
        "/openapi/v4",
        "/apis/batch/v1/nothings",
        "/api/v1/nothings",
    ):
        await s.get(path)
