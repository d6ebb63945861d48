"""What a run's pod holds, and above all what its agent container does not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from sympozium.contract.agentrun import ModelSpec, Source, ToolPolicy
from sympozium.contract.limits import MAX_FILE_BYTES, MAX_FILES
from sympozium.contract.messages import Sender
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.resources import EGRESS_CONTAINERS_ANNOTATION
from sympozium_agent.incoming import MAX_RUN_BYTES
from sympozium_controller.runs.decide import DEADLINE_SLACK
from sympozium_controller.runs.pod import build_job
from sympozium_controller.runs.view import read_job
from sympozium_controller.settings import PodSettings
from sympozium_local.kubelet.quantity import parse_quantity
from tests.controller.worlds import a_plan, a_run

SETTINGS = PodSettings(nats_url="nats://bus:4222", api_host="10.0.0.1", api_port="443")
READER = ("cluster-reader",)
PROGRAM = 100 * 2**20
"""Memory of a program of ours in a run's pod, in bytes, and half as much again."""


def job(settings: PodSettings = SETTINGS, **plan: Any) -> dict[str, Any]:
    return build_job(a_run(), replace(a_plan(), **plan), settings)


def pod(settings: PodSettings = SETTINGS, **plan: Any) -> dict[str, Any]:
    spec: dict[str, Any] = job(settings, **plan)["spec"]["template"]["spec"]
    return spec


def containers(settings: PodSettings = SETTINGS, **plan: Any) -> dict[str, dict[str, Any]]:
    spec = pod(settings, **plan)
    return {one["name"]: one for one in [*spec["initContainers"], *spec["containers"]]}


def env(container: dict[str, Any]) -> dict[str, str | None]:
    return {one["name"]: one.get("value") for one in container["env"]}


def test_no_token_of_a_run_lives_longer_than_it_must() -> None:
    sources = [
        source["serviceAccountToken"]
        for volume in pod(skills=READER)["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    ]
    least_that_kubernetes_allows_s = 600
    assert [one["expirationSeconds"] for one in sources] == 2 * [least_that_kubernetes_allows_s]


def test_the_same_run_always_gets_the_same_job() -> None:
    assert job(skills=READER) == job(skills=READER)


def test_the_agent_container_has_no_token_no_key_and_no_upstream() -> None:
    agent = containers(skills=READER, model=ModelSpec(model="m", auth_secret_ref="s"))["agent"]
    assert agent["volumeMounts"] == [{"name": "ipc", "mountPath": "/ipc"}]
    assert env(agent) == {
        "SYMPOZIUM_RUN_UID": a_run().uid,
        "SYMPOZIUM_RUN_NAME": "web-abc",
        "SYMPOZIUM_NAMESPACE": "default",
        "SYMPOZIUM_IPC_DIR": "/ipc",
        "SYMPOZIUM_MODEL_URL": "http://127.0.0.1:8001/v1",
        "SYMPOZIUM_MODEL_IDLE_TIMEOUT_S": "30",
    }


def test_the_agent_of_a_message_may_send_files_along_with_its_answer() -> None:
    source = Source(
        channel="web",
        conversation=ConversationId("c"),
        message_id=MessageId("web:m"),
        sequence=1,
        sender=Sender(platform="web", user_id="local"),
    )
    run = a_run()
    asked = replace(run, spec=msgspec.structs.replace(run.spec, source=source))
    spec = build_job(asked, a_plan(), SETTINGS)["spec"]["template"]["spec"]
    (agent,) = spec["containers"]
    assert env(agent)["SYMPOZIUM_ATTACHMENTS"] == "yes"


def test_a_run_that_writes_without_end_fills_its_own_volume_only() -> None:
    (ipc,) = [volume for volume in pod()["volumes"] if volume["name"] == "ipc"]
    room = parse_quantity(ipc["emptyDir"]["sizeLimit"])
    assert room > MAX_RUN_BYTES + MAX_FILES * MAX_FILE_BYTES


def test_files_in_memory_end_before_the_memory_of_who_writes_them() -> None:
    in_memory = replace(SETTINGS, volume_in_memory=True)
    (ipc,) = [volume for volume in pod(in_memory)["volumes"] if volume["name"] == "ipc"]
    assert ipc["emptyDir"]["medium"] == "Memory"
    room = parse_quantity(ipc["emptyDir"]["sizeLimit"])
    assert room > MAX_RUN_BYTES + MAX_FILES * MAX_FILE_BYTES / 2
    limits = {
        name: parse_quantity(one["resources"]["limits"]["memory"])
        for name, one in containers(in_memory, skills=READER).items()
    }
    assert limits["agent"] > room + PROGRAM
    assert limits["ipc-bridge"] > MAX_RUN_BYTES + PROGRAM
    assert limits["skill-cluster-reader"] == parse_quantity("256Mi")


def test_only_bridge_and_skills_may_use_the_network() -> None:
    annotations = job(skills=READER)["spec"]["template"]["metadata"]["annotations"]
    assert annotations[EGRESS_CONTAINERS_ANNOTATION] == "ipc-bridge,skill-cluster-reader"


def test_the_bridge_alone_has_the_bus_token_and_the_model_key() -> None:
    found = containers(skills=READER, model=ModelSpec(model="m", auth_secret_ref="keys"))
    mounts = {name: [m["name"] for m in one["volumeMounts"]] for name, one in found.items()}
    assert [name for name, mounted in mounts.items() if "bus-token" in mounted] == ["ipc-bridge"]
    keyed = [name for name, one in found.items() if "OPENAI_API_KEY" in env(one)]
    assert keyed == ["ipc-bridge"]
    (reference,) = [e for e in found["ipc-bridge"]["env"] if e["name"] == "OPENAI_API_KEY"]
    assert reference["valueFrom"]["secretKeyRef"] == {"name": "keys", "key": "OPENAI_API_KEY"}
    assert [name for name, mounted in mounts.items() if "model-key" in mounted] == ["ipc-bridge"]


def test_a_model_without_a_secret_gets_no_key() -> None:
    bridge = containers()["ipc-bridge"]
    assert "OPENAI_API_KEY" not in env(bridge)
    assert env(bridge)["SYMPOZIUM_MODEL_BASE_URL"] == "http://127.0.0.1:1/v1"


def test_a_model_without_an_address_is_openais() -> None:
    bridge = containers(model=ModelSpec(model="m"))["ipc-bridge"]
    assert env(bridge)["SYMPOZIUM_MODEL_BASE_URL"] == "https://api.openai.com/v1"


def test_the_skill_alone_has_an_api_token_and_sees_only_its_own_journal() -> None:
    found = containers(skills=READER)
    mounts = {name: one["volumeMounts"] for name, one in found.items()}
    holders = [name for name, one in mounts.items() if any(m["name"] == "api-token" for m in one)]
    assert holders == ["skill-cluster-reader"]
    assert mounts["skill-cluster-reader"][0] == {
        "name": "ipc",
        "mountPath": "/ipc/tools/cluster-reader",
        "subPath": "tools/cluster-reader",
    }


def test_rights_at_the_api_come_with_the_skill_and_not_without_it() -> None:
    assert pod()["serviceAccountName"] == "sympozium-run"
    assert pod(skills=READER)["serviceAccountName"] == "sympozium-run-cluster-reader"
    assert [volume["name"] for volume in pod()["volumes"]] == ["ipc", "bus-token"]
    assert pod()["automountServiceAccountToken"] is False


def test_the_tool_policy_reaches_the_place_where_tools_run() -> None:
    free = env(containers(skills=READER)["skill-cluster-reader"])
    assert "SYMPOZIUM_TOOLS_ALLOW" not in free
    policy = ToolPolicy(allow=["a", "b"], deny=["b"])
    bound = env(containers(skills=READER, tools=policy)["skill-cluster-reader"])
    assert (bound["SYMPOZIUM_TOOLS_ALLOW"], bound["SYMPOZIUM_TOOLS_DENY"]) == ("a,b", "b")
    nothing = env(containers(skills=READER, tools=ToolPolicy(allow=[]))["skill-cluster-reader"])
    assert nothing["SYMPOZIUM_TOOLS_ALLOW"] == ""


@pytest.mark.parametrize("name", ["agent", "ipc-bridge", "skill-cluster-reader"])
def test_every_container_keeps_the_restricted_pod_security_standard(name: str) -> None:
    security = containers(skills=READER)[name]["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["runAsNonRoot"] is True


def test_sidecars_start_before_the_agent_and_end_after_it() -> None:
    spec = pod(skills=READER)
    assert [one["name"] for one in spec["initContainers"]] == ["ipc-bridge", "skill-cluster-reader"]
    assert {one["restartPolicy"] for one in spec["initContainers"]} == {"Always"}
    assert spec["restartPolicy"] == "Never"


def test_the_job_is_the_runs_own_and_goes_by_no_clock_of_its_own() -> None:
    built = job()
    (owner,) = built["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("AgentRun", a_run().uid, True)
    assert built["metadata"]["labels"]["sympozium.ai/run-uid"] == a_run().uid
    assert "ttlSecondsAfterFinished" not in built["spec"]
    assert built["spec"]["backoffLimit"] == 0


def test_the_controller_ends_a_late_run_before_its_job_would_end_its_pod() -> None:
    built = job(timeout=timedelta(minutes=10))
    view = read_job({**built, "metadata": {**built["metadata"], "uid": "u"}}, model_annotation="m")
    assert view.timeout == timedelta(minutes=10)
    assert built["spec"]["activeDeadlineSeconds"] > 600 + DEADLINE_SLACK.total_seconds()
