"""Built-in kinds: their defaults, their rules, and what they do not have."""

from copy import deepcopy
from typing import Any

import pytest

from sympozium_local.apiserver.builtin import (
    BUILTIN,
    INERT,
    default_builtin,
    unknown_builtin_fields,
    validate_builtin,
)
from sympozium_local.apiserver.fields import message_of

KINDS = {one.storage_key: one for one in BUILTIN}
Object = dict[str, Any]


def container(**more: Any) -> Object:
    return {"name": "main", "image": "example/app:1", **more}


def pod(*containers: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": list(containers) or [container()], **spec},
    }


def job(**spec: Any) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [container()]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "uid": "u-1"},
        "spec": {"template": template, **spec},
    }


def deployment(**spec: Any) -> Object:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container()]}},
            **spec,
        },
    }


def complete(key: str, obj: Object) -> Object:
    default_builtin(KINDS[key], obj)
    return obj


def wrong(key: str, new: Object, old: Object | None = None) -> list[tuple[str, str]]:
    return [(one.field, one.message) for one in validate_builtin(KINDS[key], new, old)]


def test_every_kind_is_in_the_table_of_fields_and_every_inert_one_is_served() -> None:
    assert [one.kind for one in BUILTIN if message_of(one.api_version, one.kind) is None] == []
    assert INERT.keys() <= KINDS.keys()


def test_a_pod_is_completed_as_the_real_server_does() -> None:
    probe = {"httpGet": {"port": 80}}
    one = container(ports=[{"containerPort": 80}], readinessProbe=probe)
    one["resources"] = {"limits": {"cpu": "1"}}
    volumes = [{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}]
    spec = complete("pods", pod(one, volumes=volumes, serviceAccountName="a"))["spec"]
    assert spec == {
        "containers": [
            {
                "name": "main",
                "image": "example/app:1",
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
                "readinessProbe": {
                    "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
                    "timeoutSeconds": 1,
                    "periodSeconds": 10,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                },
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "volumes": [
            {"name": "v", "emptyDir": {}},
            {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}},
        ],
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
        "serviceAccount": "a",
        "serviceAccountName": "a",
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("app", "Always"),
        ("app:latest", "Always"),
        ("app:1", "IfNotPresent"),
        ("registry:5000/app", "Always"),
        ("registry:5000/app:1", "IfNotPresent"),
        ("app@sha256:abc", "IfNotPresent"),
    ],
)
def test_an_image_is_pulled_again_when_it_is_the_latest(image: str, policy: str) -> None:
    spec = complete("pods", pod(container(image=image)))["spec"]
    assert spec["containers"][0]["imagePullPolicy"] == policy


def test_a_job_selects_its_own_pods() -> None:
    made = complete("jobs.batch", job())
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/controller-uid"] == labels["controller-uid"] == "u-1"
    assert labels["batch.kubernetes.io/job-name"] == labels["job-name"] == "j"
    selector = made["spec"]["selector"]
    assert selector == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert (made["spec"]["completions"], made["spec"]["parallelism"]) == (1, 1)


@pytest.mark.parametrize(
    ("key", "obj"),
    [
        ("pods", pod()),
        ("jobs.batch", job()),
        ("deployments.apps", deployment()),
        ("services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}),
        (
            "networkpolicies.networking.k8s.io",
            {"metadata": {"name": "n"}, "spec": {"egress": [{}]}},
        ),
    ],
)
def test_defaults_twice_are_defaults_once_and_valid(key: str, obj: Object) -> None:
    once = complete(key, deepcopy(obj))
    assert complete(key, deepcopy(once)) == once
    assert wrong(key, once) == []


def test_null_says_the_same_as_nothing() -> None:
    made = complete("deployments.apps", deployment(replicas=None))
    assert made["spec"]["replicas"] == 1


def test_a_webhook_gets_its_rules_scope_and_timeout() -> None:
    webhook = {"name": "w.example.com", "rules": [{"operations": ["*"]}]}
    key = "validatingwebhookconfigurations.admissionregistration.k8s.io"
    [made] = complete(key, {"metadata": {"name": "w"}, "webhooks": [webhook]})["webhooks"]
    assert (made["failurePolicy"], made["timeoutSeconds"]) == ("Fail", 10)
    assert made["rules"] == [{"operations": ["*"], "scope": "*"}]


def test_unknown_fields_are_taken_out_and_named() -> None:
    obj = pod(container(colour="red"))
    obj |= {"extra": 1}
    obj["spec"]["nodeselector"] = {}
    found = unknown_builtin_fields(KINDS["pods"], obj)
    assert sorted(found) == ["extra", "spec.containers[0].colour", "spec.nodeselector"]
    assert obj == pod(container())


@pytest.mark.parametrize(
    ("obj", "field", "said"),
    [
        (pod({"image": "x"}), "spec.containers[0].name", "Required value"),
        (pod({"name": "a"}), "spec.containers[0].image", "Required value"),
        (pod(container(name="A_b")), "spec.containers[0].name", "RFC 1123 label"),
        (pod(container(), container()), "spec.containers[1].name", 'Duplicate value: "main"'),
        (
            pod(container(volumeMounts=[{"name": "v", "mountPath": "/v"}])),
            "spec.containers[0].volumeMounts[0].name",
            'Not found: "v"',
        ),
        (
            pod(container(resources={"requests": {"cpu": "much"}})),
            "spec.containers[0].resources.requests[cpu]",
            "quantities must match",
        ),
        (
            pod(restartPolicy="Sometimes"),
            "spec.restartPolicy",
            'supported values: "Always", "Never", "OnFailure"',
        ),
        (
            pod(container(ports=[{"containerPort": "80"}])),
            "spec.containers[0].ports[0].containerPort",
            "int32",
        ),
        (
            pod(container(ports=[{"containerPort": 70000}])),
            "spec.containers[0].ports[0].containerPort",
            "inclusive",
        ),
        (pod(container(command="sh")), "spec.containers[0].command", "must be of type array"),
        (
            pod(container(env=[{"name": "a=b"}])),
            "spec.containers[0].env[0].name",
            "printable ASCII",
        ),
        (
            pod(volumes=[{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}]),
            "spec.volumes[0]",
            "more than 1 volume type",
        ),
        (
            pod(activeDeadlineSeconds=-1),
            "spec.activeDeadlineSeconds",
            "must be between 1",
        ),
    ],
)
def test_a_pod_that_cannot_run_is_refused_at_the_field(obj: Object, field: str, said: str) -> None:
    found = wrong("pods", complete("pods", deepcopy(obj)))
    assert [path for path, _ in found] == [field]
    assert said in found[0][1]


def test_a_pod_without_containers_is_refused() -> None:
    empty = {"metadata": {"name": "p"}, "spec": {"containers": []}}
    assert ("spec.containers", "Required value") in wrong("pods", empty)


@pytest.mark.parametrize(
    ("key", "name", "is_allowed"),
    [
        ("pods", "a.b-c", True),
        ("pods", "A", False),
        ("pods", "a" * 254, False),
        ("services", "1st", True),
        ("services", "a.b", False),
        ("namespaces", "a.b", False),
        ("clusterroles.rbac.authorization.k8s.io", "system:node", True),
        ("clusterroles.rbac.authorization.k8s.io", "a/b", False),
    ],
)
def test_names_are_as_strict_as_their_kind(key: str, name: str, is_allowed: bool) -> None:
    obj = {"metadata": {"name": name}}
    complaints = [path for path, _ in wrong(key, obj) if path == "metadata.name"]
    assert (complaints == []) is is_allowed


def test_labels_must_look_like_labels() -> None:
    obj = {"metadata": {"name": "c", "labels": {"a b": "1", "ok": "not ok!", "a/b/c": ""}}}
    assert [path for path, _ in wrong("configmaps", obj)] == ["metadata.labels"] * 3


def test_only_the_image_of_a_pod_can_change() -> None:
    old = complete("pods", pod())
    new = deepcopy(old)
    new["spec"]["containers"][0]["image"] = "example/app:2"
    assert wrong("pods", new, old) == []
    new["spec"]["containers"][0]["command"] = ["other"]
    [(path, message)] = wrong("pods", new, old)
    assert path == "spec"
    assert message.startswith("Forbidden: pod updates may not change fields other than")


def test_the_template_of_a_job_cannot_change() -> None:
    old = complete("jobs.batch", job())
    new = deepcopy(old)
    new["spec"]["backoffLimit"] = 1
    assert wrong("jobs.batch", new, old) == []
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    [(path, message)] = wrong("jobs.batch", new, old)
    assert path == "spec.template"
    assert message.endswith("field is immutable")


def test_a_job_whose_pods_would_always_restart_is_refused() -> None:
    obj = job()
    del obj["spec"]["template"]["spec"]["restartPolicy"]
    found = wrong("jobs.batch", complete("jobs.batch", obj))
    message = 'Required value: valid values: "OnFailure", "Never"'
    assert found == [("spec.template.spec.restartPolicy", message)]


def test_a_deployment_must_select_its_own_pods_and_go_on_doing_so() -> None:
    made = complete("deployments.apps", deployment(selector={"matchLabels": {"app": "api"}}))
    [(path, message)] = wrong("deployments.apps", made)
    assert path == "spec.template.metadata.labels"
    assert "`selector` does not match template `labels`" in message
    old = complete("deployments.apps", deployment())
    assert "spec.selector" in dict(wrong("deployments.apps", made, old))


def test_a_binding_keeps_its_role() -> None:
    old = {"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r", "apiGroup": "x"}}
    new = {**old, "roleRef": {**old["roleRef"], "name": "other"}}
    found = wrong("rolebindings.rbac.authorization.k8s.io", new, old)
    assert [path for path, _ in found] == ["roleRef"]
    assert found[0][1].endswith("cannot change roleRef")


def test_an_immutable_config_map_stays_and_its_keys_are_file_names() -> None:
    old = {"metadata": {"name": "c"}, "immutable": True, "data": {"a": "1"}}
    new = {**old, "data": {"a": "2"}}
    message = "Forbidden: field is immutable when `immutable` is set"
    assert wrong("configmaps", new, old) == [("data", message)]
    bad = {"metadata": {"name": "c"}, "data": {"a/b": "1"}}
    assert [path for path, _ in wrong("configmaps", bad)] == ["data[a/b]"]


def test_no_secret_is_told_in_a_refusal() -> None:
    old = {
        "metadata": {"name": "s"},
        "type": "Opaque",
        "immutable": True,
        "data": {"a": "cGxhaW4="},
    }
    new = {**old, "type": "other", "data": {"a": "c2VjcmV0"}, "stringData": {"b": "hush"}}
    said = str(wrong("secrets", new, old))
    assert "c2VjcmV0" not in said
    assert "hush" not in said
