"""Pods on a node: phases, conditions, exit codes, restarts, probes, sidecars and logs."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.differential.case import Object, Sitting, case

IMAGE = "localhost/sympozium/machine:1"
MOUNT = [{"name": "v", "mountPath": "/v"}]
VOLUMES = [{"name": "v", "emptyDir": {}}]


def sh(script: str, name: str = "m", **more: Any) -> Object:
    """Return a container that runs a shell script."""
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **more}


async def _start(s: Sitting, *containers: Object, **spec: Any) -> None:
    body = {
        "metadata": {"name": "p"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 2,
            "containers": list(containers),
            **spec,
        },
    }
    s.normal.counts_versions = False
    status, _, answer = await s.ask("POST", s.path("pods"), body)
    assert status == 201, answer


async def _seen(s: Sitting, holds: Callable[[Object], Any]) -> Object:
    while True:
        status, _, pod = await s.ask("GET", s.path("pods") + "/p")
        if status != 200 or holds(pod):
            return dict(pod)
        await s.pause()


async def _awaits_signals(s: Sitting) -> None:
    """Return once the container says that it does; that it is running says less."""
    await _seen(s, _running)
    while "set" not in (await s.ask("GET", s.path("pods") + "/p/log"))[2]:
        await s.pause()


def _ended(pod: Object) -> bool:
    return pod["status"]["phase"] in {"Succeeded", "Failed"}


def _containers_ended(pod: Object) -> bool:
    """Tell whether all containers are said to have ended, which may be after the pod itself."""
    return all("terminated" in one["state"] for one in pod["status"].get("containerStatuses") or ())


def _running(pod: Object) -> bool:
    return bool(pod["status"]["phase"] == "Running")


def _say(s: Sitting, pod: Object, what: str = "pod") -> None:
    """Record what a person is told of a pod and its containers."""
    status = pod["status"]
    found: Object = {key: status.get(key) for key in ("phase", "reason", "message", "qosClass")}
    found["conditions"] = {
        one["type"]: [one["status"], one.get("reason"), one.get("message")]
        for one in status.get("conditions") or ()
        if one["type"] != "PodReadyToStartContainers"  # when it is taken back is a race
    }
    for kind in ("containerStatuses", "initContainerStatuses"):
        if kind in status:
            found[kind] = {one["name"]: _container(one) for one in status[kind]}
    s.say(what, found)


def _container(status: Mapping[str, Any]) -> Object:
    kept = {key: status.get(key) for key in ("ready", "restartCount", "started", "image")}
    for key in ("state", "lastState"):
        kept[key] = {
            kind: {name: item for name, item in state.items() if name != "containerID"}
            for kind, state in (status.get(key) or {}).items()
        }
    return kept


def _is_being_created(state: Object) -> bool:
    """Say whether a container waits as it did before anything was told of it."""
    reason = (state.get("waiting") or {}).get("reason")
    return reason in {"ContainerCreating", "PodInitializing"}


def _waiting(pod: Object) -> str:
    """Return why the first container cannot start; "" while it may."""
    statuses = pod["status"].get("containerStatuses") or [{"state": {}}]
    state = statuses[0]["state"]
    reason = (state.get("waiting") or {}).get("reason", "")
    return "" if _is_being_created(state) else str(reason)


async def _log(s: Sitting, query: str = "") -> None:
    status, headers, text = await s.ask("GET", f"{s.path('pods')}/p/log{query}")
    if isinstance(text, str):
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)", "<time>", text)
    s.say(f"log{query}", [status, headers.get("Content-Type"), text])


@case()
async def succeeds(s: Sitting) -> None:
    await _start(s, sh("echo hello; echo again"))
    _say(s, await _seen(s, _ended))
    await _log(s)
    for query in (
        "?tailLines=1",
        "?limitBytes=3",
        "?timestamps=true",
        "?container=nothing",
        "?tailLines=-1",
        "?sinceSeconds=0",
        "?previous=true",
    ):
        await _log(s, query)


@case()
async def fails_with_its_code(s: Sitting) -> None:
    await _start(s, sh("exit 42"))
    _say(s, await _seen(s, _ended))


@case()
async def one_of_two_fails(s: Sitting) -> None:
    await _start(s, sh("exit 0", "good"), sh("exit 3", "bad"))
    _say(s, await _seen(s, _ended))
    await _log(s)


@case()
async def command_that_is_not_there(s: Sitting) -> None:
    await _start(s, {"name": "m", "image": IMAGE, "command": ["/no/such/program"]})
    _say(s, await _seen(s, _ended))


@case()
async def killed_by_a_signal(s: Sitting) -> None:
    await _start(s, sh("sh -c 'kill -9 $$'; exit $?"))
    _say(s, await _seen(s, _ended))


@case()
async def running_and_ready(s: Sitting) -> None:
    await _start(s, sh("sleep 60"))
    _say(s, await _seen(s, _running))
    await _log(s)


@case()
async def message_for_the_end(s: Sitting) -> None:
    await _start(s, sh("echo why > /dev/termination-log; exit 1"))
    _say(s, await _seen(s, _ended))


@case()
async def log_as_the_message(s: Sitting) -> None:
    await _start(s, sh("echo last words; exit 1", terminationMessagePolicy="FallbackToLogsOnError"))
    _say(s, await _seen(s, _ended))


@case()
async def restarts_on_failure(s: Sitting) -> None:
    script = "if [ -e /v/once ]; then exit 0; fi; touch /v/once; exit 1"
    mount = [{"name": "v", "mountPath": "/v"}]
    volumes = [{"name": "v", "emptyDir": {}}]
    await _start(s, sh(script, volumeMounts=mount), restartPolicy="OnFailure", volumes=volumes)
    _say(s, await _seen(s, _ended))


@case()
async def restarts_and_backs_off(s: Sitting) -> None:
    await _start(s, sh("exit 1"), restartPolicy="Always")

    def backs_off(pod: Object) -> bool:
        states = [one["state"] for one in pod["status"].get("containerStatuses") or ()]
        return any(one.get("waiting", {}).get("reason") == "CrashLoopBackOff" for one in states)

    pod = await _seen(s, backs_off)
    state = pod["status"]["containerStatuses"][0]
    s.say("state", [pod["status"]["phase"], state["state"]["waiting"]["reason"], state["ready"]])
    s.say("before", state["lastState"]["terminated"]["exitCode"])


@case()
async def init_containers(s: Sitting) -> None:
    await _start(s, sh("exit 0"), initContainers=[sh("exit 0", "one"), sh("exit 0", "two")])
    _say(s, await _seen(s, _ended))


@case()
async def init_container_that_fails(s: Sitting) -> None:
    await _start(s, sh("exit 0"), initContainers=[sh("exit 7", "one"), sh("exit 0", "two")])
    _say(s, await _seen(s, _ended))
    await _log(s, "?container=two")


@case()
async def sidecar_ends_after_the_main_container(s: Sitting) -> None:
    heeds = "trap 'exit 0' TERM; touch /v/set; sleep 60 & wait"
    sidecar = sh(heeds, "side", restartPolicy="Always", volumeMounts=MOUNT)
    main = sh("until [ -e /v/set ]; do sleep 0.1; done", volumeMounts=MOUNT)
    await _start(s, main, initContainers=[sidecar], volumes=VOLUMES)
    _say(s, await _seen(s, _ended))


@case()
async def startup_probe_of_a_sidecar_is_waited_for(s: Sitting) -> None:
    probe = {
        "exec": {"command": ["test", "-e", "/tmp/up"]},
        "periodSeconds": 1,
        "failureThreshold": 30,
    }
    script = "trap 'exit 0' TERM; sleep 1; touch /tmp/up; sleep 60 & wait"
    sidecar = sh(script, "side", restartPolicy="Always", startupProbe=probe)
    await _start(s, sh("exit 0"), initContainers=[sidecar])
    _say(s, await _seen(s, _ended))


@case()
async def readiness(s: Sitting) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1}
    await _start(s, sh("sleep 60", readinessProbe=probe))
    _say(s, await _seen(s, _running))


@case()
async def liveness(s: Sitting) -> None:
    often = {"periodSeconds": 1, "failureThreshold": 1}
    probe = {"exec": {"command": ["test", "!", "-e", "/tmp/set"]}, **often}
    heeds = "trap 'exit 0' TERM; touch /tmp/set; sleep 60 & wait"
    await _start(s, sh(heeds, livenessProbe=probe))
    _say(s, await _seen(s, _ended))


@case()
async def deadline_of_a_pod(s: Sitting) -> None:
    await _start(s, sh("trap 'exit 0' TERM; sleep 60 & wait"), activeDeadlineSeconds=5)
    _say(s, await _seen(s, lambda pod: _ended(pod) and _containers_ended(pod)))


@case()
async def terminated_politely(s: Sitting) -> None:
    script = "trap 'exit 5' TERM; echo set; sleep 60 & wait"
    await _start(s, sh(script), terminationGracePeriodSeconds=20)
    await _awaits_signals(s)
    async with s.watching(s.path("pods"), "fieldSelector=metadata.name=p") as seen:
        s.exchanges.pop()  # when the events come is the kubelet's business
        await seen.take(1)
        status, _, answer = await s.ask("DELETE", s.path("pods") + "/p")
        grace = answer["metadata"]["deletionGracePeriodSeconds"]
        s.say("deleted", [status, answer["kind"], grace, answer["status"]["phase"]])
        while True:
            event = (await seen.take(1))[0]
            if event["type"] == "DELETED":
                break
    _say(s, event["object"], "last seen")


@case()
async def deaf_to_sigterm(s: Sitting) -> None:
    await _start(s, sh("trap '' TERM; echo set; sleep 60"), terminationGracePeriodSeconds=1)
    await _awaits_signals(s)
    async with s.watching(s.path("pods"), "fieldSelector=metadata.name=p") as seen:
        s.exchanges.pop()
        await s.ask("DELETE", s.path("pods") + "/p")
        while True:
            event = (await seen.take(1))[0]
            if event["type"] == "DELETED":
                break
    _say(s, event["object"], "last seen")


@case()
async def out_of_memory(s: Sitting) -> None:
    script = "x = bytearray(200_000_000)\nfor i in range(0, len(x), 4096): x[i] = 1\n"
    container = {"name": "m", "image": IMAGE, "command": ["python3", "-c", script]}
    await _start(s, {**container, "resources": {"limits": {"memory": "64Mi"}}})
    _say(s, await _seen(s, _ended))


@case()
async def image_that_is_not_there(s: Sitting) -> None:
    await _start(
        s, {**sh("exit 0"), "image": "localhost/there-is-none:1", "imagePullPolicy": "Never"}
    )

    pod = await _seen(s, _waiting)
    s.say(
        "phase",
        [
            pod["status"]["phase"],
            pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"],
        ],
    )


@case()
async def volumes_that_are_not_there(s: Sitting) -> None:
    mount = [{"name": "v", "mountPath": "/v"}]
    volumes = [{"name": "v", "secret": {"secretName": "late"}}]
    await _start(s, sh("cat /v/k", volumeMounts=mount), volumes=volumes)
    while not (await s.ask("GET", s.path("events") + "?fieldSelector=reason=FailedMount"))[2][
        "items"
    ]:
        await s.pause()
    pod = (await s.ask("GET", s.path("pods") + "/p"))[2]
    s.say("phase", pod["status"]["phase"])
    states = [one["state"] for one in pod["status"].get("containerStatuses") or ()]
    s.say("state", [state for state in states if not _is_being_created(state)])
    await s.ask("POST", s.path("secrets"), {"metadata": {"name": "late"}, "stringData": {"k": "v"}})
    _say(s, await _seen(s, _ended))
    await _log(s)


@case()
async def environment(s: Sitting) -> None:
    await s.ask(
        "POST", s.path("configmaps"), {"metadata": {"name": "c"}, "data": {"a": "1", "b-c": "2"}}
    )
    env = [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['x']"}}},
        {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}},
        {
            "name": "NONE",
            "valueFrom": {"configMapKeyRef": {"name": "c", "key": "z", "optional": True}},
        },
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        {"name": "BOTH", "value": "$(NAME)-$(KEY)-$$(KEY)-$(NOTHING)"},
    ]
    script = "echo $NAME/$LABEL/$KEY/${NONE-unset}/$LIMIT/$BOTH/$a/$(hostname)/$(pwd)/$1"
    container = sh(script, env=env, envFrom=[{"configMapRef": {"name": "c"}}])
    container["args"] = ["zero", "$(KEY)"]
    container["resources"] = {"limits": {"memory": "64Mi"}}
    await _start(s, container, hostname="host")
    _say(s, await _seen(s, _ended))
    await _log(s)


@case()
async def missing_key_in_the_environment(s: Sitting) -> None:
    env = [{"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "a"}}}]
    await _start(s, sh("exit 0", env=env))

    def waits(pod: Object) -> bool:
        return any(
            (one["state"].get("waiting") or {}).get("reason") == "CreateContainerConfigError"
            for one in pod["status"].get("containerStatuses") or ()
        )

    pod = await _seen(s, waits)
    s.say("state", [pod["status"]["phase"], pod["status"]["containerStatuses"][0]["state"]])


@case()
async def as_another_user(s: Sitting) -> None:
    secure = {"runAsUser": 1234, "runAsGroup": 2345, "fsGroup": 3456, "runAsNonRoot": True}
    mount = [{"name": "v", "mountPath": "/v"}]
    script = "id -u; id -g; touch /v/x && echo written; touch /usr/x || echo refused"
    own = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    volumes = [{"name": "v", "emptyDir": {}}]
    await _start(
        s,
        sh(script, volumeMounts=mount, securityContext=own),
        securityContext=secure,
        volumes=volumes,
    )
    _say(s, await _seen(s, _ended))


@case()
async def nobody_runs_as_root_who_must_not(s: Sitting) -> None:
    await _start(s, sh("exit 0", securityContext={"runAsNonRoot": True}))

    def is_decided(pod: Object) -> bool:
        return _ended(pod) or bool(_waiting(pod))

    pod = await _seen(s, is_decided)
    s.say("reason", _waiting(pod) or pod["status"]["phase"])


@case()
async def job_on_a_node(s: Sitting) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [sh("exit 0")]}}
    await s.ask(
        "POST",
        s.path("jobs", "batch/v1"),
        {"metadata": {"name": "j"}, "spec": {"template": template}},
    )
    while True:
        answer = (await s.ask("GET", s.path("jobs", "batch/v1") + "/j"))[2]
        kinds = [one["type"] for one in (answer.get("status") or {}).get("conditions") or ()]
        if "Complete" in kinds:
            break
        await s.pause()
    s.say("status", answer["status"])


@case()
async def job_that_tries_again(s: Sitting) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [sh("exit 3")]}}
    spec = {"template": template, "backoffLimit": 0, "podReplacementPolicy": "Failed"}
    await s.ask("POST", s.path("jobs", "batch/v1"), {"metadata": {"name": "j"}, "spec": spec})
    while True:
        answer = (await s.ask("GET", s.path("jobs", "batch/v1") + "/j"))[2]
        kinds = [one["type"] for one in (answer.get("status") or {}).get("conditions") or ()]
        if "Failed" in kinds:
            break
        await s.pause()
    s.say("status", answer["status"])
