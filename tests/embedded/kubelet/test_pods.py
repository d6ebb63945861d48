"""Pods from their start to their end."""

from collections.abc import Callable
from typing import Any

import pytest

from sympozium.contract.resources import EVENTS, PODS, SECRETS, Object
from sympozium_local.kubelet import container
from sympozium_local.kubelet import pod as pod_worker
from sympozium_local.kubelet.pod import PodWorker
from tests.fixtures.nats_server import free_port

Build = Callable[..., Object]

SHARED = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
VOLUMES = [{"name": "v", "emptyDir": {}}]


def terminated(pod: Object, container: str) -> dict[str, Any]:
    """Return how *container* ended."""
    status = pod["status"]
    entries = [*status.get("initContainerStatuses", ()), *status["containerStatuses"]]
    ended = next(entry for entry in entries if entry["name"] == container)["state"]["terminated"]
    assert isinstance(ended, dict)
    return ended


def container_status(pod: Object, container: str = "a") -> dict[str, Any]:
    """Return the status entry of *container*, or nothing where there is none yet."""
    entries = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((entry for entry in entries if entry["name"] == container), {})


def conditions(pod: Object) -> dict[str, str]:
    return {c["type"]: c["status"] for c in (pod.get("status") or {}).get("conditions") or ()}


def is_ready(pod: Object) -> bool:
    return conditions(pod).get("Ready") == "True"


def is_running(pod: Object) -> bool:
    return bool(pod["status"].get("phase") == "Running")


def has_ended(pod: Object) -> bool:
    return pod["status"].get("phase") in {"Succeeded", "Failed"}


async def test_a_pod_whose_command_ends_well_succeeds(node: Any, pod: Build, sh: Build) -> None:
    done, printed = await node.run(pod("p", sh("a", "echo hello")))
    assert done["status"]["phase"] == "Succeeded"
    assert terminated(done, "a")["reason"] == "Completed"
    assert printed["a"] == "hello"


async def test_exit_code_and_message_of_a_failed_container_are_reported(
    node: Any, pod: Build, sh: Build
) -> None:
    script = "echo it was me > /dev/termination-log; exit 7"
    done, _ = await node.run(pod("p", sh("a", script)))
    ended = terminated(done, "a")
    assert done["status"]["phase"] == "Failed"
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (7, "Error", "it was me\n")


async def test_a_command_that_is_not_there_is_named(node: Any, pod: Build, sh: Build) -> None:
    done, _ = await node.run(pod("p", {**sh("a", ""), "command": ["no-such-program"]}))
    ended = terminated(done, "a")
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert "no-such-program" in ended["message"]


async def test_an_unknown_image_waits_and_says_what_this_node_runs(
    node: Any, pod: Build, sh: Build
) -> None:
    await node.create(pod("p", {**sh("a", ""), "image": "nginx:1"}))
    found = await node.wait_for("p", lambda p: "waiting" in container_status(p).get("state", {}))
    waiting = container_status(found)["state"]["waiting"]
    assert waiting["reason"] == "ErrImagePull"
    assert "'nginx:1'" in waiting["message"]
    assert "sympozium/agent" in waiting["message"]
    assert found["status"]["phase"] == "Pending"
    await node.kube.delete(PODS, "default", "p")
    await node.wait_gone("p")
    events = (await node.kube.list(EVENTS, "default")).items
    assert any("nginx:1" in event["message"] for event in events)


async def test_a_missing_secret_keeps_the_container_waiting_until_it_is_there(
    node: Any, pod: Build, sh: Build
) -> None:
    key = {"secretKeyRef": {"name": "later", "key": "word"}}
    env = [
        {"name": "WORD", "valueFrom": key},
        {"name": "SENTENCE", "value": "say $(WORD) $$(WORD)"},
    ]
    await node.create(pod("p", sh("a", "echo $SENTENCE", env=env)))
    waiting = await node.wait_for("p", lambda p: "waiting" in container_status(p).get("state", {}))
    reason = container_status(waiting)["state"]["waiting"]
    assert reason["reason"] == "CreateContainerConfigError"
    assert reason["message"] == 'secret "later" not found'
    secret = {
        "metadata": {"name": "later", "namespace": "default"},
        "stringData": {"word": "friend"},
    }
    await node.kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **secret})
    done = await node.wait_for("p", lambda p: p["status"]["phase"] == "Succeeded")
    assert node.log(done, "a") == "say friend $(WORD)"


async def test_init_containers_run_one_after_the_other_before_the_main_ones(
    node: Any, pod: Build, sh: Build
) -> None:
    done, printed = await node.run(
        pod(
            "p",
            sh("a", "cat /v/order", **SHARED),
            initContainers=[
                sh("i", "echo 1 >> /v/order", **SHARED),
                sh("j", "echo 2 >> /v/order", **SHARED),
            ],
            volumes=VOLUMES,
        )
    )
    assert printed["a"] == "1\n2"
    assert conditions(done)["Initialized"] == "True"


async def test_a_failed_init_container_fails_the_pod_before_the_main_ones_start(
    node: Any, pod: Build, sh: Build
) -> None:
    done, printed = await node.run(
        pod("p", sh("a", "echo ran"), initContainers=[sh("i", "exit 3")])
    )
    assert done["status"]["phase"] == "Failed"
    assert terminated(done, "i")["exitCode"] == 3
    assert printed["a"] == ""


async def test_a_sidecar_starts_before_and_ends_after_the_main_container(
    node: Any, pod: Build, sh: Build
) -> None:
    trap = "trap 'echo end >> /v/order; cat /v/order; exit 0' TERM; echo start > /v/order; "
    sidecar = sh("s", trap + "while :; do sleep 0.05; done", restartPolicy="Always", **SHARED)
    wait = "until [ -s /v/order ]; do sleep 0.01; done; echo main >> /v/order"
    done, printed = await node.run(
        pod(
            "p",
            sh("a", wait, **SHARED),
            initContainers=[sidecar],
            volumes=VOLUMES,
        )
    )
    assert printed["s"] == "start\nmain\nend"
    assert done["status"]["phase"] == "Succeeded"
    assert terminated(done, "s")["exitCode"] == 0


async def test_a_sidecar_that_dies_is_restarted(node: Any, pod: Build, sh: Build) -> None:
    sidecar = sh("s", "echo x >> /v/n; sleep 0.05", restartPolicy="Always", **SHARED)
    wait = "until [ $(wc -l < /v/n) -ge 2 ]; do sleep 0.02; done"
    done, _ = await node.run(
        pod(
            "p",
            sh("a", wait, **SHARED),
            initContainers=[sidecar],
            volumes=VOLUMES,
        )
    )
    assert done["status"]["phase"] == "Succeeded"
    assert done["status"]["initContainerStatuses"][0]["restartCount"] >= 1


async def test_a_failing_container_is_restarted_and_then_backed_off(
    node: Any, pod: Build, sh: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "FIRST_BACKOFF_S", 60.0)  # or a late look sees a later one
    await node.create(pod("p", sh("a", "exit 1"), restartPolicy="OnFailure"))

    def is_backed_off(p: Object) -> bool:
        state = container_status(p).get("state", {})
        return bool(state.get("waiting", {}).get("reason") == "CrashLoopBackOff")

    found = await node.wait_for("p", is_backed_off)
    status = container_status(found)
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert found["status"]["phase"] == "Running"


async def test_deleting_a_pod_ends_it_with_sigterm(node: Any, pod: Build, sh: Build) -> None:
    script = "trap 'exit 9' TERM; echo set; while :; do sleep 0.02; done"
    await node.create(pod("p", sh("a", script)))
    await node.wait_for("p", is_ready)
    await node.wait_for_line("p", "set")
    ends: list[Object] = []
    node.pods.listen(lambda _key, old, new: ends.append(old) if new is None else None)
    await node.kube.delete(PODS, "default", "p")
    await node.wait_gone("p")
    assert terminated(ends[-1], "a")["exitCode"] == 9


async def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(
    node: Any, pod: Build, sh: Build
) -> None:
    script = "trap '' TERM; echo set; while :; do sleep 0.02; done"
    await node.create(pod("p", sh("a", script), terminationGracePeriodSeconds=1))
    await node.wait_for("p", is_ready)
    await node.wait_for_line("p", "set")
    ends: list[Object] = []
    node.pods.listen(lambda _key, old, new: ends.append(old) if new is None else None)
    await node.kube.delete(PODS, "default", "p")
    await node.wait_gone("p")
    assert terminated(ends[-1], "a")["exitCode"] == 137


async def test_prestop_runs_before_the_container_is_told_to_end(
    node: Any, pod: Build, sh: Build
) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "touch /tmp/asked"]}}}
    script = "trap 'test -e /tmp/asked && exit 4' TERM; echo set; while :; do sleep 0.02; done"
    await node.create(pod("p", sh("a", script, lifecycle=hook)))
    await node.wait_for("p", is_ready)
    await node.wait_for_line("p", "set")
    ends: list[Object] = []
    node.pods.listen(lambda _key, old, new: ends.append(old) if new is None else None)
    await node.kube.delete(PODS, "default", "p")
    await node.wait_gone("p")
    assert terminated(ends[-1], "a")["exitCode"] == 4


async def test_a_pod_over_its_deadline_fails(
    node: Any, pod: Build, sh: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_deadline = PodWorker._keep_deadline

    async def once_it_runs(worker: PodWorker) -> None:
        await node.wait_for("p", is_running)
        await keep_deadline(worker)

    monkeypatch.setattr(PodWorker, "_keep_deadline", once_it_runs)
    done, _ = await node.run(pod("p", sh("a", "sleep 60"), activeDeadlineSeconds=1))
    assert (done["status"]["phase"], done["status"]["reason"]) == ("Failed", "DeadlineExceeded")
    assert terminated(done, "a")["exitCode"] == 143


async def test_a_container_over_its_memory_is_reported_as_such(
    node: Any, pod: Build, py: Build
) -> None:
    limits = {"limits": {"memory": "64Mi"}}
    done, _ = await node.run(pod("p", py("a", "x = b'x' * 300_000_000", resources=limits)))
    ended = terminated(done, "a")
    assert (ended["exitCode"], ended["reason"]) in {(137, "OOMKilled"), (1, "Error")}
    assert done["status"]["phase"] == "Failed"


WAITS = "until [ -e /v/go ]; do sleep 0.02; done"
ENDS_AT_ONCE = "sleep 60"
ENDS_SOON = "trap 'sleep 0.4; exit 0' TERM; while :; do sleep 0.02; done"


@pytest.mark.parametrize("watches", [ENDS_AT_ONCE, ENDS_SOON])
async def test_a_running_pod_costs_one_status_write_and_its_end_another(
    node: Any, pod: Build, sh: Build, watches: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patience in ("_SETTLE_S", "_END_SETTLE_S"):  # a busy machine starts and ends it slowly
        monkeypatch.setattr(pod_worker, patience, 15.0)
    seen: list[Object] = []
    node.pods.listen(lambda _key, _old, new: seen.append(new) if new else None)
    sidecar = sh("s", watches, restartPolicy="Always")
    await node.create(pod("p", sh("a", WAITS, **SHARED), initContainers=[sidecar], volumes=VOLUMES))
    node.touch(await node.wait_for("p", is_running), "v", "go")
    await node.wait_for("p", has_ended)
    assert [p["status"]["phase"] for p in seen] == ["Pending", "Running", "Succeeded"]


async def test_a_readiness_probe_decides_when_the_pod_is_ready(
    node: Any, pod: Build, sh: Build
) -> None:
    probe = {"exec": {"command": ["test", "-e", "/v/up"]}, "periodSeconds": 1}
    spec = sh("a", "sleep 60", readinessProbe=probe, **SHARED)
    await node.create(pod("p", spec, volumes=VOLUMES))
    first = await node.wait_for("p", is_running)
    assert not is_ready(first)
    node.touch(first, "v", "up")
    await node.wait_for("p", is_ready)


async def test_pods_that_ask_for_their_address_may_listen_on_the_same_port(
    node: Any, pod: Build, py: Build
) -> None:
    port = free_port()
    address = {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    serve = "import os, socket, time\n"
    serve += f"s = socket.create_server((os.environ['ADDRESS'], {port}))\ntime.sleep(60)"
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 1, "failureThreshold": 1}
    for name, source in (("one", serve), ("two", serve), ("deaf", "import time; time.sleep(60)")):
        await node.create(pod(name, py("a", source, env=[address], readinessProbe=probe)))
    one, two = [await node.wait_for(name, is_ready) for name in ("one", "two")]
    assert one["status"]["podIP"] != two["status"]["podIP"]
    await node.wait_for_warning("deaf", "Readiness probe failed")
    assert not is_ready(node.pods.get("default", "deaf"))


async def test_a_container_that_fails_its_liveness_probe_is_restarted(
    node: Any, pod: Build, sh: Build
) -> None:
    probe = {
        "exec": {"command": ["test", "-e", "/tmp/up"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    spec = sh("a", "sleep 60", livenessProbe=probe)
    await node.create(pod("p", spec, restartPolicy="Always"))
    found = await node.wait_for("p", lambda p: container_status(p).get("restartCount", 0) > 0)
    assert container_status(found)["lastState"]["terminated"]["exitCode"] == 143


async def test_the_next_container_waits_for_a_sidecars_startup_probe(
    node: Any, pod: Build, sh: Build
) -> None:
    probe = {"exec": {"command": ["test", "-e", "/v/up"]}, "periodSeconds": 1}
    script = "sleep 0.5; touch /v/up; sleep 60"
    sidecar = sh("s", script, restartPolicy="Always", startupProbe=probe, **SHARED)
    _, printed = await node.run(
        pod(
            "p",
            sh("a", "ls /v", **SHARED),
            initContainers=[sidecar],
            volumes=VOLUMES,
        )
    )
    assert printed["a"] == "up"
