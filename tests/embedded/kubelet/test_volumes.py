"""What pods find in their volumes."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.resources import CONFIG_MAPS, PODS, SECRETS, Object
from sympozium_local.kubelet import volumes as kubelet_volumes
from sympozium_local.kubelet.sources import Sources
from sympozium_local.kubelet.volumes import Volumes

Build = Callable[..., Object]


def mounted(name: str, **fields: Any) -> dict[str, Any]:
    return {"volumeMounts": [{"name": name, "mountPath": "/v", **fields}]}


def config_map(name: str, **data: str) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def test_a_config_map_is_files_and_cannot_be_written(
    node: Any, pod: Build, sh: Build
) -> None:
    await node.kube.create(CONFIG_MAPS, config_map("c", one="1", two="2"))
    items = [{"key": "two", "path": "sub/zwei"}]
    volume = {"name": "v", "configMap": {"name": "c", "items": items}}
    script = "ls -R /v; cat /v/sub/zwei; touch /v/x"
    done, printed = await node.run(pod("p", sh("a", script, **mounted("v")), volumes=[volume]))
    assert printed["a"].splitlines()[:5] == ["/v:", "sub", "", "/v/sub:", "zwei"]
    assert "Read-only file system" in printed["a"]
    assert done["status"]["phase"] == "Failed"


async def test_a_secret_volume_waits_for_its_secret(node: Any, pod: Build, sh: Build) -> None:
    volume = {"name": "v", "secret": {"secretName": "late", "defaultMode": 0o400}}
    made = pod("p", sh("a", "cat /v/key; stat -c ' %a' /v/key", **mounted("v")), volumes=[volume])
    await node.create(made)
    await node.wait_for("p", lambda p: "late" in json.dumps(p["status"].get("containerStatuses")))
    metadata = {"name": "late", "namespace": "default"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
    await node.kube.create(SECRETS, {**secret, "stringData": {"key": "hush"}})
    done = await node.wait_for("p", lambda p: p["status"]["phase"] == "Succeeded")
    assert node.log(done, "a") == "hush 400"


async def test_an_optional_secret_may_be_missing(node: Any, pod: Build, sh: Build) -> None:
    volume = {"name": "v", "secret": {"secretName": "none", "optional": True}}
    env = [
        {
            "name": "MAYBE",
            "valueFrom": {"secretKeyRef": {"name": "none", "key": "k", "optional": True}},
        }
    ]
    script = "ls /v; echo ${MAYBE-unset}"
    _, printed = await node.run(
        pod("p", sh("a", script, env=env, **mounted("v")), volumes=[volume])
    )
    assert printed["a"] == "unset"


async def test_a_projected_token_names_the_pod_and_its_audience(
    node: Any, pod: Build, sh: Build
) -> None:
    sources = [
        {"serviceAccountToken": {"path": "token", "audience": "nats", "expirationSeconds": 600}},
        {"downwardAPI": {"items": [{"path": "me", "fieldRef": {"fieldPath": "metadata.name"}}]}},
        {"configMap": {"name": "kube-root-ca.crt"}},
    ]
    volume = {"name": "v", "projected": {"sources": sources}}
    script = "cat /v/token; echo; cat /v/me; ls /v"
    done, printed = await node.run(pod("p", sh("a", script, **mounted("v")), volumes=[volume]))
    token, *rest = printed["a"].splitlines()
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["aud"] == ["nats"]
    assert claims["kubernetes.io"]["pod"]["uid"] == done["metadata"]["uid"]
    assert rest == ["pca.crt", "me", "token"]


@pytest.fixture
async def with_a_token(
    kubeless: Any, pod: Build, sh: Build, tmp_path: Path
) -> tuple[Volumes, Sources, Path]:
    """The volumes of a pod, where they come from, and the file of a token of ten minutes."""
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}
    volume = {"name": "v", "projected": {"sources": [source]}}
    created = await kubeless.create(pod("p", sh("a", "true"), volumes=[volume]))
    volumes = Volumes(created, tmp_path / "disk", tmp_path / "memory", 0)
    sources = Sources(kubeless.kube, "default")
    await volumes.prepare(sources, ())
    return volumes, sources, volumes.by_name["v"].path / "token"


async def test_a_token_is_replaced_before_it_expires_and_the_old_file_with_it(
    with_a_token: tuple[Volumes, Sources, Path],
) -> None:
    volumes, sources, file = with_a_token
    first = file.read_text()
    now = time.time()
    assert await volumes.replace_tokens(sources, now=now + 300) > now + 300
    assert file.read_text() == first
    await volumes.replace_tokens(sources, now=now + 500)
    assert [path.name for path in file.parent.iterdir()] == ["token"]
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_token_that_expired_while_the_machine_slept_is_replaced_soon(
    with_a_token: tuple[Volumes, Sources, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    volumes, sources, file = with_a_token
    monkeypatch.setattr(kubelet_volumes, "_TOKENS_EVERY_S", 0.05)
    wall = time.time
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(volumes.keep_tokens_fresh(sources))
        await asyncio.sleep(0.2)
        first = file.stat().st_ino
        monkeypatch.setattr(time, "time", lambda: wall() + 3600)
        while file.stat().st_ino == first:  # noqa: ASYNC110 - a file says nothing
            await asyncio.sleep(0.02)
        keeping.cancel()


async def test_containers_of_a_pod_share_an_empty_dir_in_memory(
    node: Any, pod: Build, sh: Build
) -> None:
    volume = {"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    first = sh("i", "echo shared > /v/x", **mounted("v"))
    done, printed = await node.run(
        pod("p", sh("a", "cat /v/x", **mounted("v")), initContainers=[first], volumes=[volume])
    )
    assert printed["a"] == "shared"
    assert done["status"]["phase"] == "Succeeded"


async def test_a_pod_that_fills_its_empty_dir_over_the_limit_is_evicted(
    node: Any, pod: Build, sh: Build
) -> None:
    volume = {"name": "v", "emptyDir": {"sizeLimit": "1Mi"}}
    script = "head -c 3000000 /dev/zero > /v/x; sleep 60"
    done, _ = await node.run(pod("p", sh("a", script, **mounted("v")), volumes=[volume]))
    assert done["status"]["reason"] == "Evicted"


async def test_sub_paths_of_one_volume_keep_containers_apart(
    node: Any, pod: Build, sh: Build
) -> None:
    first = sh("i", "echo i > /v/x", **mounted("v", subPath="tools/i"))
    second = sh("j", "ls /v", **mounted("v", subPath="tools/j"))
    main = sh("a", "cat /v/tools/i/x", **mounted("v", readOnly=True))
    volumes = [{"name": "v", "emptyDir": {}}]
    _, printed = await node.run(pod("p", main, initContainers=[first, second], volumes=volumes))
    assert printed == {"i": "", "j": "", "a": "i"}


async def test_a_folder_of_the_machine_is_refused_with_the_flag_that_would_allow_it(
    node: Any, pod: Build, sh: Build
) -> None:
    volume = {"name": "v", "hostPath": {"path": "/etc"}}
    await node.create(pod("p", sh("a", "ls /v", **mounted("v")), volumes=[volume]))
    found = await node.wait_for("p", lambda p: "containerStatuses" in p["status"])
    waiting = found["status"]["containerStatuses"][0]["state"]["waiting"]
    assert "--allow-host-path" in waiting["message"]


class TestAllowedFolder:
    @pytest.fixture
    def host_paths(self, tmp_path: Path) -> tuple[Path, ...]:
        (tmp_path / "shown").mkdir()
        return (tmp_path / "shown",)

    async def test_an_allowed_folder_of_the_machine_can_be_written(
        self, node: Any, pod: Build, sh: Build, host_paths: tuple[Path, ...]
    ) -> None:
        (folder,) = host_paths
        (folder / "before").write_text("here")
        volume = {"name": "v", "hostPath": {"path": str(folder)}}
        script = "cat /v/before; echo more >> /v/before; echo new > /v/after"
        done, _ = await node.run(pod("p", sh("a", script, **mounted("v")), volumes=[volume]))
        assert done["status"]["phase"] == "Succeeded"
        assert (folder / "after").read_text() == "new\n"

    async def test_pods_that_share_a_folder_write_each_others_files(
        self, node: Any, pod: Build, sh: Build, host_paths: tuple[Path, ...]
    ) -> None:
        (folder,) = host_paths
        volume = {"name": "v", "hostPath": {"path": str(folder)}}
        script = "echo first > /v/shared; until grep second /v/shared; do sleep 0.05; done"
        await node.create(pod("one", sh("a", script, **mounted("v")), volumes=[volume]))
        script = "until [ -s /v/shared ]; do sleep 0.05; done; echo second >> /v/shared"
        await node.run(pod("two", sh("a", script, **mounted("v")), volumes=[volume]))
        first = await node.wait_for("one", lambda p: p["status"].get("phase") == "Succeeded")
        assert first["status"]["phase"] == "Succeeded"


async def test_the_downward_api_tells_a_container_who_it_is(
    node: Any, pod: Build, sh: Build
) -> None:
    def field(name: str, path: str) -> Object:
        return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}

    limit = {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}
    env = [
        field("NAME", "metadata.name"),
        field("APP", "metadata.labels['app']"),
        field("NODE", "spec.nodeName"),
        field("IP", "status.podIP"),
        {"name": "MEM", "valueFrom": limit},
    ]
    resources = {"limits": {"memory": "64Mi"}}
    script = "echo $NAME $APP $NODE $IP $MEM $KUBERNETES_SERVICE_PORT; hostname"
    done, printed = await node.run(pod("p", sh("a", script, env=env, resources=resources)))
    assert printed["a"].split() == [
        *("p", "p", "local", done["status"]["podIP"], "64"),
        str(node.api_port),
        "p",
    ]


async def test_nothing_of_a_pods_volumes_is_left_after_its_end(
    node: Any, pod: Build, sh: Build
) -> None:
    volumes = [{"name": "v", "emptyDir": {}}]
    done, _ = await node.run(pod("p", sh("a", "echo x > /v/x", **mounted("v")), volumes=volumes))
    folder = node.settings.data_dir / "pods" / done["metadata"]["uid"]
    assert not (folder / "volumes").exists()
    await node.kube.delete(PODS, "default", "p")
    await node.wait_gone("p")
