"""Lists: selectors, pages, versions and tables."""

from tests.differential.case import TABLE, Object, Sitting, case
from tests.differential.cases.builtin import pod
from tests.differential.cases.objects import config, widget
from tests.differential.kinds import V1

MINE = "labelSelector=mine"


async def _maps(s: Sitting, count: int = 5) -> str:
    path = s.path("configmaps")
    for number in range(count):
        labels = {"mine": "yes", "n": str(number), "odd": str(number % 2)}
        await s.ask("POST", path, config(f"m{number}", labels=labels))
    return path


def _names(answer: Object) -> list[str]:
    return [item["metadata"]["name"] for item in answer["items"]]


@case()
async def whole_list(s: Sitting) -> None:
    path = await _maps(s, 2)
    await s.get(f"{path}?{MINE}")
    await s.post(s.path("widgets", V1), widget("a"))
    await s.get(s.path("widgets", V1))
    await s.get(s.path("secrets"))


@case()
async def label_selectors(s: Sitting) -> None:
    path = await _maps(s)
    for selector in (
        "odd=1",
        "odd==0",
        "odd!=1,mine",
        "n in (1,2)",
        "n notin (1,2),mine",
        "!odd,mine",
        "odd",
        "n=1,odd=1",
        "n=1,odd=0",
        "n>2",
        "n<2",
        "n in ()",
        "=x",
        "n=",
        "mine,",
        "a b",
        "n in (1",
        "x/y/z=1",
        "n=a b",
    ):
        status, _, answer = await s.ask(
            "GET", f"{path}?labelSelector={selector.replace(' ', '%20')}"
        )
        s.say(selector, _names(answer) if status == 200 else answer)


@case()
async def field_selectors(s: Sitting) -> None:
    path = await _maps(s)
    for selector in (
        "metadata.name=m1",
        "metadata.name!=m1",
        f"metadata.namespace={s.namespace}",
        "data.x=1",
        "metadata.name==m1",
        "metadata.name in (m1)",
        "metadata.name",
        "metadata.name=m1,metadata.name=m2",
    ):
        url = f"{path}?{MINE}&fieldSelector={selector.replace(' ', '%20')}"
        status, _, answer = await s.ask("GET", url)
        s.say(selector, _names(answer) if status == 200 else answer)


@case()
async def field_selectors_of_a_custom_kind(s: Sitting) -> None:
    path = s.path("widgets", V1)
    for name, color in (("a", "red"), ("b", "blue"), ("c", None)):
        await s.ask("POST", path, widget(name, {"color": color} if color else {}))
    for selector in (
        "spec.color=red",
        "spec.color!=red",
        "spec.color=",
        "spec.size=3",
        "metadata.name=a",
    ):
        status, _, answer = await s.ask("GET", f"{path}?fieldSelector={selector}")
        s.say(selector, _names(answer) if status == 200 else answer)


@case()
async def field_selectors_of_pods(s: Sitting) -> None:
    path = s.path("pods")
    for name, more in (
        ("a", {}),
        ("b", {"restartPolicy": "Never", "serviceAccountName": "default"}),
    ):
        fields: Object = {**more}
        await s.ask("POST", path, pod(name, **fields))
    for selector in (
        "status.phase=Pending",
        "status.phase!=Pending",
        "spec.nodeName=",
        "spec.restartPolicy=Never",
        "spec.serviceAccountName=default",
        "spec.schedulerName=default-scheduler",
        "status.podIP=",
        "spec.hostNetwork=false",
        "spec.priority=0",
        "status.reason=x",
    ):
        status, _, answer = await s.ask("GET", f"{path}?fieldSelector={selector}")
        s.say(selector, _names(answer) if status == 200 else answer)


@case()
async def field_selectors_of_other_kinds(s: Sitting) -> None:
    for plural, version, selector in (
        ("secrets", "v1", "type=Opaque"),
        ("events", "v1", "involvedObject.name=x,reason=y,type=Normal"),
        ("events", "v1", "involvedObject.kind=Pod,source=x"),
        ("jobs", "batch/v1", "status.successful=1"),
        ("deployments", "apps/v1", "spec.replicas=1"),
        ("configmaps", "v1", "type=x"),
        ("services", "v1", "spec.type=ClusterIP"),
    ):
        await s.get(f"{s.path(plural, version)}?fieldSelector={selector}")


@case()
async def pages(s: Sitting) -> None:
    path = await _maps(s)
    token = ""
    for _ in range(3):
        status, _, answer = await s.ask("GET", f"{path}?{MINE}&limit=2&continue={token}")
        metadata = answer["metadata"]
        s.say(
            "a page", [status, _names(answer), sorted(metadata), metadata.get("remainingItemCount")]
        )
        token = metadata.get("continue", "")


@case()
async def pages_without_a_selector(s: Sitting) -> None:
    path = s.path("widgets", V1)
    for name in "abcde":
        await s.ask("POST", path, widget(name))
    first = (await s.ask("GET", f"{path}?limit=2"))[2]
    s.say("first", [_names(first), first["metadata"].get("remainingItemCount")])
    await s.ask("DELETE", f"{path}/c")
    await s.ask("POST", path, widget("aa"))
    await s.ask("POST", path, widget("f"))
    second = (await s.ask("GET", f"{path}?limit=2&continue={first['metadata']['continue']}"))[2]
    s.say("second", [_names(second), second["metadata"].get("remainingItemCount")])
    same = first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    s.say("both are of the same version", same)


@case()
async def pages_that_make_no_sense(s: Sitting) -> None:
    path = await _maps(s, 3)
    first = (await s.ask("GET", f"{path}?{MINE}&limit=1"))[2]
    token = first["metadata"]["continue"]
    s.normal.name(token, "continue")
    await s.get(f"{path}?limit=1&continue=nonsense")
    await s.get(f"{path}?limit=x")
    await s.get(f"{path}?limit=-1&{MINE}&fieldSelector=metadata.name=m0")
    await s.get(f"{path}?limit=1&continue={token}&resourceVersion=5")


@case()
async def versions_of_lists(s: Sitting) -> None:
    path = await _maps(s, 1)
    version = (await s.ask("GET", path))[2]["metadata"]["resourceVersion"]
    for query in (
        "resourceVersion=0",
        f"resourceVersion={version}",
        f"resourceVersion={version}&resourceVersionMatch=NotOlderThan",
        "resourceVersionMatch=NotOlderThan",
        "resourceVersion=0&resourceVersionMatch=Exact",
        "resourceVersion=1&resourceVersionMatch=Odd",
        "resourceVersion=x",
    ):
        status, _, answer = await s.ask("GET", f"{path}?{MINE}&{query}")
        s.say(query.replace(version, "<version>"), _names(answer) if status == 200 else answer)


@case()
async def empty_lists(s: Sitting) -> None:
    for plural, version in (("pods", "v1"), ("widgets", V1), ("jobs", "batch/v1")):
        await s.get(s.path(plural, version))


@case()
async def table_of_a_custom_kind(s: Sitting) -> None:
    path = s.path("widgets", V1)
    await s.ask("POST", path, widget("a", {"color": "red", "when": "2026-01-01T00:00:00Z"}))
    await s.ask("POST", path, widget("b"))
    status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await s.ask(
        "PATCH", f"{path}/b/status", status, **{"Content-Type": "application/merge-patch+json"}
    )
    for query in ("", "?includeObject=None", "?includeObject=Object", "/a"):
        await s.table(f"{path}{query}")


@case()
async def tables_of_empty_lists(s: Sitting) -> None:
    for plural, version in (
        ("pods", "v1"),
        ("configmaps", "v1"),
        ("secrets", "v1"),
        ("services", "v1"),
        ("events", "v1"),
        ("serviceaccounts", "v1"),
        ("persistentvolumeclaims", "v1"),
        ("endpoints", "v1"),
        ("resourcequotas", "v1"),
        ("limitranges", "v1"),
        ("jobs", "batch/v1"),
        ("cronjobs", "batch/v1"),
        ("deployments", "apps/v1"),
        ("replicasets", "apps/v1"),
        ("statefulsets", "apps/v1"),
        ("daemonsets", "apps/v1"),
        ("roles", "rbac.authorization.k8s.io/v1"),
        ("rolebindings", "rbac.authorization.k8s.io/v1"),
        ("networkpolicies", "networking.k8s.io/v1"),
        ("ingresses", "networking.k8s.io/v1"),
        ("leases", "coordination.k8s.io/v1"),
        ("poddisruptionbudgets", "policy/v1"),
        ("endpointslices", "discovery.k8s.io/v1"),
        ("widgets", V1),
        ("agents", "sympozium.ai/v1alpha1"),
        ("agentruns", "sympozium.ai/v1alpha1"),
    ):
        status, _, answer = await s.ask(
            "GET", f"{s.path(plural, version)}?fieldSelector=metadata.name=x", Accept=TABLE
        )
        columns = answer.get("columnDefinitions") if isinstance(answer, dict) else answer
        named = isinstance(columns, list) and [
            [one["name"], one["type"], one["format"], one["priority"]] for one in columns
        ]
        s.say(plural, [status, named])


@case()
async def tables_of_built_in_kinds(s: Sitting) -> None:
    objects: list[tuple[str, str, Object]] = [
        ("configmaps", "v1", {"data": {"k": "v", "l": "w"}}),
        ("secrets", "v1", {"data": {"k": "dg=="}}),
        ("serviceaccounts", "v1", {}),
        (
            "services",
            "v1",
            {"spec": {"clusterIP": "None", "ports": [{"port": 80}], "selector": {"a": "b"}}},
        ),
        ("resourcequotas", "v1", {"spec": {"hard": {"pods": "1"}}}),
        ("roles", "rbac.authorization.k8s.io/v1", {"rules": []}),
        (
            "rolebindings",
            "rbac.authorization.k8s.io/v1",
            {
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"},
                "subjects": [{"kind": "ServiceAccount", "name": "y", "namespace": "z"}],
            },
        ),
        (
            "networkpolicies",
            "networking.k8s.io/v1",
            {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}},
        ),
        ("leases", "coordination.k8s.io/v1", {"spec": {"holderIdentity": "me"}}),
        (
            "poddisruptionbudgets",
            "policy/v1",
            {"spec": {"minAvailable": 1, "selector": {"matchLabels": {"q": "r"}}}},
        ),
    ]
    for plural, version, body in objects:
        path = s.path(plural, version)
        await s.ask("POST", path, {**body, "metadata": {"name": "mine"}})
        answer = (await s.ask("GET", f"{path}?fieldSelector=metadata.name=mine", Accept=TABLE))[2]
        s.say(plural, [row["cells"] for row in answer.get("rows", ())])


@case()
async def table_of_one_object_and_of_none(s: Sitting) -> None:
    await s.post(s.path("configmaps"), config("a"))
    await s.table(s.path("configmaps") + "/a")
    await s.table(s.path("configmaps") + "/nothing")


@case()
async def table_of_pods(s: Sitting) -> None:
    path = s.path("pods")
    containers = [{"name": name, "image": "a:1"} for name in "mn"]
    await s.ask("POST", path, pod("a", containers=containers))
    time = "2026-01-01T00:00:00Z"

    def container(name: str, state: Object, *, ready: bool = False, restarts: int = 0) -> Object:
        fixed: Object = {"name": name, "image": "a:1", "imageID": "", "state": state}
        return {**fixed, "ready": ready, "restartCount": restarts}

    running = {"running": {"startedAt": time}}
    for status in (
        {},
        {
            "phase": "Running",
            "containerStatuses": [container("m", running, ready=True), container("n", running)],
        },
        {
            "phase": "Running",
            "containerStatuses": [
                container("m", running, ready=True, restarts=3),
                container("n", {"waiting": {"reason": "CrashLoopBackOff"}}, restarts=4),
            ],
        },
        {
            "phase": "Pending",
            "containerStatuses": [container("m", {"waiting": {"reason": "ImagePullBackOff"}})],
        },
        {
            "phase": "Failed",
            "containerStatuses": [
                container(
                    "m", {"terminated": {"exitCode": 3, "startedAt": time, "finishedAt": time}}
                )
            ],
        },
        {
            "phase": "Failed",
            "containerStatuses": [
                container(
                    "m",
                    {
                        "terminated": {
                            "exitCode": 137,
                            "reason": "OOMKilled",
                            "startedAt": time,
                            "finishedAt": time,
                        }
                    },
                )
            ],
        },
        {"phase": "Failed", "reason": "Evicted", "containerStatuses": []},
        {
            "phase": "Succeeded",
            "containerStatuses": [
                container(
                    "m",
                    {
                        "terminated": {
                            "exitCode": 0,
                            "reason": "Completed",
                            "startedAt": time,
                            "finishedAt": time,
                        }
                    },
                )
            ],
        },
    ):
        await s.ask(
            "PATCH",
            f"{path}/a/status",
            {"status": status},
            **{"Content-Type": "application/merge-patch+json"},
        )
        answer = (await s.ask("GET", f"{path}/a", Accept=TABLE))[2]
        s.say(
            f"cells {status.get('phase')} {status.get('reason', '')}".strip(),
            answer["rows"][0]["cells"][:4],
        )


@case()
async def collection_deleted_by_label(s: Sitting) -> None:
    path = await _maps(s)
    answer = await s.delete(f"{path}?labelSelector=odd=1")
    s.say("deleted", _names(answer))
    s.say("left", _names((await s.ask("GET", f"{path}?{MINE}"))[2]))
    await s.delete(f"{path}?labelSelector=mine%3Dno")


@case()
async def lists_over_all_namespaces(s: Sitting) -> None:
    path = s.path("widgets", V1, namespace="")
    await s.ask("POST", s.path("widgets", V1), widget("a", labels={"in": s.namespace}))
    await s.get(f"{path}?labelSelector=in={s.namespace}")
    await s.get(f"{path}?fieldSelector=metadata.namespace={s.namespace}")
    await s.get(s.path("namespaces", namespace="") + f"?fieldSelector=metadata.name={s.namespace}")
