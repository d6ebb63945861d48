"""What is left when the server ends, however it ends."""

import asyncio
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.errors import PermanentError
from sympozium_local.apiserver.server import Endpoint, serve

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


@asynccontextmanager
async def program(data_dir: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Endpoint]]:
    """Run the server as a program; it is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sympozium_local.apiserver",
        "--data-dir",
        str(data_dir),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        line = await process.stderr.readline()
        url = line.split(b'"url": "')[1].split(b'"')[0].decode()
        yield (
            process,
            Endpoint(
                url,
                data_dir / "pki/ca.crt",
                data_dir / "tokens/admin",
                data_dir / "admin.kubeconfig",
            ),
        )
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def modes(folder: Path, patterns: list[str]) -> set[int]:
    """Return who may do what with the files and folders that match."""
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    assert len(found) >= len(patterns)
    return {stat.S_IMODE(path.stat().st_mode) for path in found}


async def test_whatever_was_answered_survives_a_kill(
    data_dir: Path, connect: Any, configmap: Any
) -> None:
    async with program(data_dir) as (process, endpoint), connect(endpoint) as api:
        made = [await api.create(CONFIGMAPS, configmap(f"n{number}")) for number in range(20)]
        await api.delete(f"{CONFIGMAPS}/n0")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        listed = await api.get(CONFIGMAPS)
        kept = {item["metadata"]["name"]: item for item in listed["items"]}
        assert "n0" not in kept
        assert all(kept[one["metadata"]["name"]] == one for one in made[1:])
        version = int(listed["metadata"]["resourceVersion"])
        assert version > int(made[-1]["metadata"]["resourceVersion"])


async def test_a_version_from_before_the_restart_is_gone(
    data_dir: Path, connect: Any, configmap: Any
) -> None:
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        old = (await api.get(CONFIGMAPS))["metadata"]["resourceVersion"]
        await api.create(CONFIGMAPS, configmap("a"))
        recent = (await api.get(CONFIGMAPS))["metadata"]["resourceVersion"]
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        code, status = await api.call("GET", f"{CONFIGMAPS}?watch=1&resourceVersion={old}")
        assert (code, status["reason"]) == (410, "Expired")
        async with api.watch(CONFIGMAPS, resourceVersion=recent) as watch:  # nothing was missed
            await api.create(CONFIGMAPS, configmap("b"))
            assert (await watch.next())[1]["metadata"]["name"] == "b"


async def test_the_last_version_is_not_given_again_after_a_deletion_and_a_restart(
    data_dir: Path, connect: Any, configmap: Any
) -> None:
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        await api.create(CONFIGMAPS, configmap("a"))
        await api.delete(f"{CONFIGMAPS}/a")
        last = (await api.get(CONFIGMAPS))["metadata"]["resourceVersion"]
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        made = await api.create(CONFIGMAPS, configmap("a"))
        assert int(made["metadata"]["resourceVersion"]) > int(last)


async def test_custom_kinds_are_served_again(
    data_dir: Path, connect: Any, widget_crd: dict[str, Any]
) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    path = "/apis/example.com/v1/namespaces/default/widgets"
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        await api.create(crds, widget_crd)
        await api.create(path, {"metadata": {"name": "a"}})
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        assert (await api.get(f"{path}/a"))["status"] == {"phase": "Pending"}


async def test_roles_get_back_the_rules_they_came_with(data_dir: Path, connect: Any) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"
    own = {"apiGroups": ["x"], "resources": ["y"], "verbs": ["get"]}
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        before = (await api.get(path))["rules"]
        await api.merge(path, {"rules": [*before[1:], own]})
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        rules = (await api.get(path))["rules"]
        assert before[0] in rules
        assert own in rules
        annotation = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
        await api.merge(path, {"metadata": {"annotations": annotation}, "rules": [own]})
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        assert (await api.get(path))["rules"] == [own]


async def test_new_keys_reach_every_namespace(data_dir: Path, connect: Any) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    async with serve(data_dir) as endpoint:
        before = endpoint.ca_file.read_text()
    (data_dir / "pki/serving.crt").unlink()
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        after = endpoint.ca_file.read_text()
        assert after != before
        async with api.watch(path, fieldSelector="metadata.name=kube-root-ca.crt") as watch:
            while (await watch.next())[1]["data"]["ca.crt"] != after:
                pass


async def test_keys_and_tokens_stay_and_only_their_owner_can_read_them(data_dir: Path) -> None:
    async with serve(data_dir) as endpoint:
        before = endpoint.ca_file.read_text(), endpoint.token_file.read_text()
    async with serve(data_dir) as endpoint:
        assert (endpoint.ca_file.read_text(), endpoint.token_file.read_text()) == before
        assert endpoint.url in endpoint.kubeconfig.read_text()
    assert modes(data_dir.parent, ["data", "data/pki", "data/tokens"]) == {0o700}
    assert modes(data_dir, ["*.kubeconfig", "tokens/*", "pki/*"]) == {0o600}


async def test_a_second_server_on_the_same_folder_is_refused(data_dir: Path) -> None:
    async with serve(data_dir):
        with pytest.raises(PermanentError, match="another API server uses it"):
            async with serve(data_dir):
                pass


async def test_a_taken_port_is_named(data_dir: Path, tmp_path: Path) -> None:
    async with serve(data_dir) as endpoint:
        port = int(endpoint.url.rpartition(":")[2])
        with pytest.raises(PermanentError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serve(tmp_path / "other", port=port):
                pass


async def test_sigterm_ends_the_program_even_while_a_watch_is_open(
    data_dir: Path, connect: Any
) -> None:
    async with (
        program(data_dir) as (process, endpoint),
        connect(endpoint) as api,
        api.watch("/api/v1/namespaces") as watch,
    ):
        await watch.next()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
