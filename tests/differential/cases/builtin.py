"""Built-in kinds: what is filled in and what is refused."""

from typing import Any

from tests.differential.case import MERGE, Object, Sitting, case

GATE = [{"name": "example.com/no"}]


def pod(name: str, *, containers: list[Object] | None = None, **spec: Any) -> Object:
    """Return a pod that no scheduler takes."""
    some = [{"name": "m", "image": "example/a:1"}] if containers is None else containers
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"schedulingGates": GATE, "containers": some, **spec},
    }


def job(name: str, **spec: Any) -> Object:
    """Return a Job whose pods no scheduler takes."""
    template = {"spec": {**pod("")["spec"], "restartPolicy": "Never"}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"template": template, **spec},
    }


async def _try(s: Sitting, path: str, *bodies: Object) -> None:
    for body in bodies:
        body["metadata"] = {"name": "a", **body.get("metadata", {})}
        await s.post(f"{path}?dryRun=All", body)


def _container(**more: Any) -> list[Object]:
    return [{"name": "m", "image": "example/a:1", **more}]


@case()
async def pod_defaults(s: Sitting) -> None:
    await s.post(s.path("pods") + "?dryRun=All", pod("a"))
    probe = {"httpGet": {"port": 80}}
    limits = {"limits": {"cpu": "1", "memory": "1Gi"}}
    many = _container(
        image="example/a", livenessProbe=probe, resources=limits, ports=[{"containerPort": 1}]
    )
    more = {
        "initContainers": [{"name": "i", "image": "example/b:1", "restartPolicy": "Always"}],
        "volumes": [
            {"name": "e", "emptyDir": {}},
            {"name": "c", "configMap": {"name": "c"}},
            {"name": "s", "secret": {"secretName": "s"}},
            {"name": "n"},
        ],
        "serviceAccountName": "default",
        "automountServiceAccountToken": False,
    }
    await s.post(s.path("pods") + "?dryRun=All", pod("a", containers=many, **more))


@case()
async def pods_that_are_refused(s: Sitting) -> None:
    await _try(
        s,
        s.path("pods"),
        pod("a", containers=[]),
        pod("a", containers=[{"name": "m"}]),
        pod("a", containers=[{"image": "x:1"}]),
        pod("a", containers=[*_container(), *_container()]),
        pod("a", containers=_container(name="A B")),
        pod("a", restartPolicy="Sometimes"),
        pod("a", containers=_container(imagePullPolicy="Maybe")),
        pod("a", containers=_container(volumeMounts=[{"name": "nothing", "mountPath": "/x"}])),
        pod("a", containers=_container(env=[{"name": "a=b", "value": "c"}])),
        pod("a", containers=_container(env=[{"name": "", "value": "c"}])),
        pod("a", containers=_container(ports=[{"containerPort": 0}])),
        pod("a", containers=_container(ports=[{"containerPort": 70000}])),
        pod("a", containers=_container(resources={"limits": {"cpu": "much"}})),
        pod("a", containers=_container(resources={"limits": {"cpu": "-1"}})),
        pod(
            "a", containers=_container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})
        ),
        pod("a", volumes=[{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]),
        pod("a", volumes=[{"name": "v", "emptyDir": {}, "configMap": {"name": "c"}}]),
        pod("a", volumes=[{"name": "V", "emptyDir": {}}]),
        pod("a", activeDeadlineSeconds=0),
        pod("a", terminationGracePeriodSeconds=-1),
        pod("a", serviceAccountName="nobody-here"),
        pod("a", dnsPolicy="Odd"),
        pod("a", initContainers=[{"name": "m", "image": "x:1"}]),
        pod("a", initContainers=[{"name": "i", "image": "x:1", "restartPolicy": "Never"}]),
        pod("a", containers=_container(livenessProbe={"periodSeconds": 1})),
        pod("a", containers=_container(command="true")),
        pod("a", securityContext={"runAsUser": -1}),
        pod(
            "a",
            containers=_container(
                securityContext={"privileged": True, "allowPrivilegeEscalation": False}
            ),
        ),
        pod("a", tolerations=[{"operator": "Odd"}]),
    )


@case()
async def pods_that_are_changed(s: Sitting) -> None:
    path = s.path("pods") + "/a"
    await s.ask("POST", s.path("pods"), pod("a"))
    for patch in (
        {"spec": {"restartPolicy": "Never"}},
        {"spec": {"containers": _container(image="example/b:1")}},
        {"spec": {"containers": _container(command=["x"])}},
        {"spec": {"activeDeadlineSeconds": 5}},
        {"spec": {"serviceAccountName": "other"}},
        {"metadata": {"labels": {"a": "b"}}},
        {"spec": {"terminationGracePeriodSeconds": 5}},
    ):
        status, _, answer = await s.ask("PATCH", path, patch, **{"Content-Type": MERGE})
        s.say(str(patch), [status, answer.get("reason")])


@case()
async def pod_status_and_binding(s: Sitting) -> None:
    path = s.path("pods") + "/a"
    await s.ask("POST", s.path("pods"), pod("a"))
    await s.ask(
        "PATCH", f"{path}/status", {"status": {"phase": "Running"}}, **{"Content-Type": MERGE}
    )
    answer = (await s.ask("GET", path))[2]
    s.say("phase", answer["status"]["phase"])
    status, _, answer = await s.ask(
        "PATCH", f"{path}/status", {"status": {"phase": "Odd"}}, **{"Content-Type": MERGE}
    )
    s.say("an odd phase", [status, answer.get("message")])


@case()
async def quality_of_service(s: Sitting) -> None:
    whole = {"cpu": "1", "memory": "1Gi"}
    for resources in (
        {},
        {"requests": {"cpu": "1"}},
        {"limits": whole},
        {"limits": whole, "requests": {"cpu": "1m"}},
    ):
        status, _, answer = await s.ask(
            "POST",
            s.path("pods") + "?dryRun=All",
            pod("a", containers=_container(resources=resources)),
        )
        s.say(
            str(resources),
            [status, answer["status"]["qosClass"], answer["spec"]["containers"][0]["resources"]],
        )


@case()
async def service_account_token_in_pods(s: Sitting) -> None:
    await s.ask(
        "POST",
        s.path("serviceaccounts"),
        {"metadata": {"name": "shy"}, "automountServiceAccountToken": False},
    )
    for name, more in (
        ("of the default", {}),
        ("of one that gives none", {"serviceAccountName": "shy"}),
        (
            "of one that is overruled",
            {"serviceAccountName": "shy", "automountServiceAccountToken": True},
        ),
    ):
        answer = (await s.ask("POST", s.path("pods") + "?dryRun=All", pod("a", **more)))[2]
        spec = answer["spec"]
        s.say(name, [spec.get("volumes"), spec["containers"][0].get("volumeMounts")])


@case()
async def job_defaults(s: Sitting) -> None:
    await s.post(s.path("jobs", "batch/v1") + "?dryRun=All", job("a"))
    rules = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    await s.post(
        s.path("jobs", "batch/v1") + "?dryRun=All",
        job("a", podFailurePolicy={"rules": rules}, backoffLimit=0),
    )


@case()
async def jobs_that_are_refused(s: Sitting) -> None:
    always = {"spec": {**pod("")["spec"], "restartPolicy": "Always"}}
    await _try(
        s,
        s.path("jobs", "batch/v1"),
        job("a", template=always),
        job("a", template={"spec": pod("")["spec"]}),
        job("a", backoffLimit=-1),
        job("a", parallelism=-1),
        job("a", completions=-1),
        job("a", activeDeadlineSeconds=-1),
        job("a", ttlSecondsAfterFinished=-1),
        job("a", completionMode="Odd"),
        job("a", completionMode="Indexed"),
        job("a", selector={"matchLabels": {"a": "b"}}),
        job("a", podReplacementPolicy="Odd"),
        job("a", podFailurePolicy={"rules": [{"action": "Odd"}]}),
        job("a", podFailurePolicy={"rules": [{"action": "FailJob"}]}),
        {"metadata": {"name": "a"}, "spec": {}},
        {"metadata": {"name": "A"}, "spec": job("a")["spec"]},
    )


@case()
async def jobs_that_are_changed(s: Sitting) -> None:
    path = s.path("jobs", "batch/v1") + "/a"
    await s.ask("POST", s.path("jobs", "batch/v1"), job("a", suspend=True))
    for patch in (
        {"spec": {"parallelism": 2}},
        {"spec": {"completions": 2}},
        {"spec": {"backoffLimit": 2}},
        {"spec": {"ttlSecondsAfterFinished": 2}},
        {"spec": {"activeDeadlineSeconds": 100}},
        {"spec": {"template": {"spec": {"restartPolicy": "OnFailure"}}}},
        {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}},
        {"spec": {"selector": {"matchLabels": {"a": "b"}}}},
        {"spec": {"podReplacementPolicy": "Failed"}},
    ):
        status, _, answer = await s.ask(
            "PATCH", f"{path}?dryRun=All", patch, **{"Content-Type": MERGE}
        )
        s.say(str(patch), [status, answer.get("message")])


@case()
async def deployment_defaults_and_refusals(s: Sitting) -> None:
    path = s.path("deployments", "apps/v1")
    good: Object = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": _container()}},
    }
    await _try(
        s,
        path,
        {"spec": good},
        {"spec": {**good, "selector": {"matchLabels": {"c": "d"}}}},
        {"spec": {key: value for key, value in good.items() if key != "selector"}},
        {"spec": {**good, "replicas": -1}},
        {"spec": {**good, "strategy": {"type": "Odd"}}},
        {"spec": {**good, "strategy": {"type": "Recreate", "rollingUpdate": {}}}},
        {"spec": {**good, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}},
        {
            "spec": {
                **good,
                "template": {
                    **good["template"],
                    "spec": {"containers": _container(), "restartPolicy": "Never"},
                },
            }
        },
    )
    await s.ask("POST", path, {"metadata": {"name": "b"}, "spec": {**good, "replicas": 0}})
    await s.patch(f"{path}/b?dryRun=All", {"spec": {"selector": {"matchLabels": {"x": "y"}}}})


@case()
async def services(s: Sitting) -> None:
    path = s.path("services")
    await _try(
        s,
        path,
        {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, "clusterIP": "None"}},
        {"spec": {"ports": [{"port": 80}, {"port": 81}]}},
        {"spec": {"ports": [{"port": 0}]}},
        {"spec": {"type": "Odd", "ports": [{"port": 1}]}},
        {"spec": {}},
        {"spec": {"type": "ExternalName", "externalName": "example.com"}},
        {"spec": {"ports": [{"port": 80, "protocol": "ODD"}]}},
        {"spec": {"ports": [{"name": "x", "port": 80}, {"name": "x", "port": 81}]}},
    )
    await s.ask("POST", path, {"metadata": {"name": "b"}, "spec": {"ports": [{"port": 80}]}})
    await s.get(f"{path}/b")


@case()
async def roles_and_bindings_that_are_refused(s: Sitting) -> None:
    rbac = "rbac.authorization.k8s.io/v1"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    await _try(
        s,
        s.path("roles", rbac),
        {"rules": [{"verbs": ["get"], "resources": ["pods"], "apiGroups": [""]}]},
        {"rules": [{"verbs": [], "resources": ["pods"], "apiGroups": [""]}]},
        {"rules": [{"verbs": ["get"], "resources": ["pods"]}]},
        {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]},
    )
    await _try(
        s,
        s.path("rolebindings", rbac),
        {"roleRef": reference, "subjects": [{"kind": "ServiceAccount", "name": "x"}]},
        {"roleRef": reference, "subjects": [{"kind": "User", "name": "x"}]},
        {"roleRef": {**reference, "kind": "Odd"}},
        {"roleRef": {**reference, "name": ""}},
        {"roleRef": reference, "subjects": [{"kind": "Odd", "name": "x"}]},
    )
    await s.ask(
        "POST", s.path("rolebindings", rbac), {"metadata": {"name": "b"}, "roleRef": reference}
    )
    await s.patch(s.path("rolebindings", rbac) + "/b", {"roleRef": {"name": "other"}})


@case()
async def leases_and_events(s: Sitting) -> None:
    leases = s.path("leases", "coordination.k8s.io/v1")
    time = "2026-01-01T00:00:00.000000Z"
    spec = {
        "holderIdentity": "me",
        "leaseDurationSeconds": 2,
        "renewTime": time,
        "acquireTime": time,
    }
    await s.post(leases, {"metadata": {"name": "a"}, "spec": spec})
    await s.patch(f"{leases}/a", {"spec": {"renewTime": "2026-01-01T00:00:01.5Z"}})
    await s.patch(f"{leases}/a", {"spec": {"leaseDurationSeconds": 0}})
    await s.patch(f"{leases}/a", {"spec": {"renewTime": "now"}})
    involved = {"kind": "Pod", "namespace": s.namespace, "name": "x"}
    await s.post(
        s.path("events"),
        {
            "metadata": {"name": "e"},
            "involvedObject": involved,
            "reason": "R",
            "type": "Normal",
            "message": "m",
        },
    )
    await s.post(
        s.path("events"),
        {"metadata": {"name": "f"}, "involvedObject": {**involved, "namespace": "other"}},
    )


@case()
async def network_policies(s: Sitting) -> None:
    path = s.path("networkpolicies", "networking.k8s.io/v1")
    await _try(
        s,
        path,
        {"spec": {"podSelector": {}}},
        {"spec": {"podSelector": {}, "egress": [{"ports": [{"port": 53}]}]}},
        {"spec": {"podSelector": {}, "policyTypes": ["Odd"]}},
        {"spec": {"podSelector": {}, "ingress": [{"from": [{}]}]}},
        {"spec": {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "x"}}]}]}},
    )


@case()
async def quotas_and_limit_ranges(s: Sitting) -> None:
    await s.post(
        s.path("resourcequotas") + "?dryRun=All",
        {"metadata": {"name": "a"}, "spec": {"hard": {"pods": "2"}}},
    )
    await s.post(
        s.path("limitranges"),
        {
            "metadata": {"name": "l"},
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "default": {"memory": "64Mi"},
                        "defaultRequest": {"memory": "32Mi"},
                        "max": {"memory": "128Mi"},
                    }
                ]
            },
        },
    )
    answer = (await s.ask("POST", s.path("pods") + "?dryRun=All", pod("a")))[2]
    s.say("resources", answer["spec"]["containers"][0]["resources"])
    big = _container(resources={"requests": {"memory": "1Gi"}})
    await s.post(s.path("pods") + "?dryRun=All", pod("b", containers=big))
