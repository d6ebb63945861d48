"""The server as kubectl sees it. Each test is one sitting of a person at a terminal."""

import asyncio
import os
import shutil
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from sympozium.contract.crds import definition_objects

KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or ""
pytestmark = pytest.mark.skipif(not KUBECTL, reason="kubectl is not installed")

Kubectl = Callable[..., Coroutine[Any, Any, str]]
SAMPLES = Path(__file__).parents[2] / "differential/samples"

POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec: {containers: [{name: main, image: example/web, command: [run]}]}
"""
WIDGET = """
apiVersion: example.com/v1
kind: Widget
metadata: {name: first}
spec: {color: red}
"""


@pytest.fixture
def environment(api: Any, tmp_path: Path) -> dict[str, str]:
    """Return the variables by which kubectl finds the server, as its administrator."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "KUBECONFIG": str(api.endpoint.kubeconfig),
        "KUBE_EDITOR": "sed -i s/red/blue/",
    }


@pytest.fixture
def kubectl(environment: dict[str, str]) -> Kubectl:
    """Run kubectl; fail with what it says."""

    async def run(*arguments: str, stdin: str = "", code: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            KUBECTL,
            *arguments,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(15):
            out, _ = await process.communicate(stdin.encode())
        assert process.returncode == code, out.decode()
        return out.decode()

    return run


async def test_version_and_kinds_are_discovered(kubectl: Kubectl) -> None:
    assert "Server Version: v1." in await kubectl("version")
    kinds = await kubectl("api-resources", "--no-headers")
    for name in ("pods", "jobs", "deployments", "customresourcedefinitions", "rolebindings"):
        assert name in kinds
    assert "batch/v1" in await kubectl("api-versions")


async def test_a_pod_is_applied_seen_described_and_deleted(kubectl: Kubectl) -> None:
    assert "pod/web created" in await kubectl("apply", "-f", "-", stdin=POD)
    assert "pod/web unchanged" in await kubectl("apply", "-f", "-", stdin=POD)
    listed = await kubectl("get", "pods", "-o", "wide")
    assert "STATUS" in listed
    assert "Pending" in listed
    described = await kubectl("describe", "pod", "web")
    assert "Service Account:" in described
    assert "kube-api-access-" in described
    assert "web" in await kubectl("get", "pods", "-l", "app=web", "-o", "name")
    changed = POD.replace("app: web", "app: other")
    differs = await kubectl("diff", "-f", "-", stdin=changed, code=1)
    assert "+    app: other" in differs
    assert "pod/web configured" in await kubectl("apply", "-f", "-", stdin=changed)
    assert "deleted" in await kubectl("delete", "pod", "web", "--now", "--wait=false")
    assert "deleted" in await kubectl("delete", "pod", "web", "--force", "--grace-period=0")


async def test_objects_are_created_by_their_short_commands(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "team")
    await kubectl("create", "serviceaccount", "bot", "-n", "team")
    await kubectl("create", "configmap", "c", "-n", "team", "--from-literal=k=v")
    await kubectl("create", "secret", "generic", "s", "-n", "team", "--from-literal=k=v")
    assert await kubectl("get", "secret", "s", "-n", "team", "-o", "jsonpath={.data.k}") == "dg=="
    await kubectl("create", "deployment", "d", "-n", "team", "--image=example/d", "--replicas=2")
    await kubectl("scale", "deployment", "d", "-n", "team", "--replicas=3")
    path = "jsonpath={.spec.replicas}"
    assert await kubectl("get", "deploy", "d", "-n", "team", "-o", path) == "3"
    await kubectl("create", "job", "j", "-n", "team", "--image=example/j", "--", "run")
    assert "j" in await kubectl("get", "jobs", "-n", "team")
    await kubectl("create", "role", "r", "-n", "team", "--verb=get", "--resource=pods")
    await kubectl(
        "create", "rolebinding", "b", "-n", "team", "--role=r", "--serviceaccount=team:bot"
    )
    bot = "--as=system:serviceaccount:team:bot"
    assert await kubectl("auth", "can-i", "get", "pods", "-n", "team", bot) == "yes\n"
    assert await kubectl("auth", "can-i", "delete", "pods", "-n", "team", bot, code=1) == "no\n"
    token = await kubectl("create", "token", "bot", "-n", "team")
    assert token.count(".") == 2
    await kubectl("delete", "namespace", "team", "--timeout=10s")
    assert "NotFound" in await kubectl("get", "namespace", "team", code=1)


@pytest.mark.usefixtures("widgets")
async def test_a_custom_object_is_handled_like_a_built_in_one(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=WIDGET)
    table = await kubectl("get", "wd")
    assert table.split()[:3] == ["NAME", "COLOR", "first"]
    await kubectl("edit", "widget", "first")
    path = "jsonpath={.spec.color}"
    assert await kubectl("get", "widget", "first", "-o", path) == "blue"
    await kubectl("label", "widget", "first", "size=big")
    await kubectl("annotate", "widget", "first", "note=it")
    await kubectl("patch", "widget", "first", "--type=merge", "-p", '{"spec":{"size":5}}')
    patch = '[{"op":"replace","path":"/spec/size","value":6}]'
    await kubectl("patch", "widget", "first", "--type=json", "-p", patch)
    explained = await kubectl("explain", "widget.spec")
    assert "color" in explained
    refused = await kubectl(
        "patch", "widget", "first", "--type=merge", "-p", '{"spec":{"color":"x"}}', code=1
    )
    assert 'spec.color: Unsupported value: "x": supported values: "red", "blue"' in refused
    unknown = WIDGET.replace("color: red", "colour: red")
    assert 'unknown field "spec.colour"' in await kubectl("apply", "-f", "-", stdin=unknown, code=1)
    phase = '{"status":{"phase":"Done"}}'
    await kubectl("patch", "widget", "first", "--subresource=status", "--type=merge", "-p", phase)
    await kubectl("wait", "widget/first", "--for=jsonpath={.status.phase}=Done", "--timeout=5s")
    await kubectl("delete", "widget", "first")


async def test_a_kind_that_does_nothing_yet_says_so_and_what_else_there_is(
    api: Any, kubectl: Kubectl
) -> None:
    for definition in definition_objects():
        await api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    explained = await kubectl("explain", "skillpack.spec")
    assert "SkillPack is not supported yet; today" in " ".join(explained.split())
    assert "sidecar" in explained
    assert "mountWorkspace" in await kubectl("explain", "skillpack.spec.sidecar")
    for path in sorted(SAMPLES.glob("s*.yaml")):
        (sample,) = yaml.safe_load_all(path.read_text())
        refused = await kubectl("apply", "-f", str(path), code=1)
        assert f"* spec: Forbidden: {sample['kind']} is not supported yet; today" in refused
        for field in sample["spec"]:
            assert f"* spec.{field}: Forbidden: {field} is not supported yet" in refused


async def test_server_side_apply_shares_an_object_between_managers(kubectl: Kubectl) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {%s}\n"
    server = ("apply", "--server-side", "-f", "-")
    await kubectl(*server, "--field-manager=one", stdin=config % "a: one")
    await kubectl(*server, "--field-manager=two", stdin=config % "b: two")
    both = await kubectl("get", "configmap", "shared", "-o", "jsonpath={.data}")
    assert msgspec.json.decode(both) == {"a": "one", "b": "two"}
    clash = await kubectl(*server, "--field-manager=two", stdin=config % "a: two", code=1)
    assert "conflict" in clash
    forced = ("--field-manager=two", "--force-conflicts")
    await kubectl(*server, *forced, stdin=config % "a: two")
    both = await kubectl("get", "configmap", "shared", "-o", "jsonpath={.data}")
    assert msgspec.json.decode(both) == {"a": "two"}


async def test_what_kubectl_applied_its_older_way_it_may_apply_its_newer_way(
    kubectl: Kubectl,
) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: both}\ndata: {%s}\n"
    await kubectl("apply", "-f", "-", stdin=config % "a: one, b: one")
    patch = '{"data":{"b":"two"}}'
    await kubectl("patch", "configmap", "both", "--type=merge", "-p", patch)
    server = ("apply", "--server-side", "-f", "-")
    await kubectl(*server, stdin=config % "a: three, b: two")
    refused = await kubectl(*server, "--field-manager=x", stdin=config % "a: four", code=1)
    assert 'conflict with "kubectl": .data.a' in refused
    data = await kubectl("get", "configmap", "both", "-o", "jsonpath={.data}")
    assert msgspec.json.decode(data) == {"a": "three", "b": "two"}


async def test_what_somebody_changed_since_kubectl_may_not_change_unasked(kubectl: Kubectl) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: changed}\ndata: {%s}\n"
    await kubectl("apply", "-f", "-", stdin=config % "a: one")
    patch = '{"data":{"a":"two"}}'
    await kubectl("patch", "configmap", "changed", "--type=merge", "-p", patch)
    server = ("apply", "--server-side", "-f", "-")
    refused = await kubectl(*server, stdin=config % "a: three", code=1)
    assert "conflict" in refused


async def test_a_deletion_waits_for_finalizers(api: Any, kubectl: Kubectl) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [a.b/c]}\n"
    await kubectl("create", "-f", "-", stdin=config)
    async with asyncio.TaskGroup() as group:
        deletion = group.create_task(kubectl("delete", "configmap", "held"))
        path = "/api/v1/namespaces/default/configmaps"
        async with api.watch(path, fieldSelector="metadata.name=held") as watch:
            while "deletionTimestamp" not in (await watch.next())[1]["metadata"]:
                pass
        assert not deletion.done()
        patch = '{"metadata":{"finalizers":null}}'
        await kubectl("patch", "configmap", "held", "--type=merge", "-p", patch)
    assert "deleted" in deletion.result()


async def test_a_watch_prints_what_changes(api: Any, environment: dict[str, str]) -> None:
    secrets = "/api/v1/namespaces/default/secrets"
    await api.create(secrets, {"metadata": {"name": "first"}})
    process = await asyncio.create_subprocess_exec(
        KUBECTL, "get", "secrets", "-w", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(15):
            assert (await process.stdout.readline()).split()[:2] == [b"NAME", b"TYPE"]
            assert (await process.stdout.readline()).startswith(b"first")
            await api.create(secrets, {"metadata": {"name": "second"}})
            assert (await process.stdout.readline()).startswith(b"second")
    finally:
        process.terminate()
        await process.communicate()
