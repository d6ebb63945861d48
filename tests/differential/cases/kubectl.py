"""The server as kubectl shows it."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.differential.case import Sitting, case

KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or ""
TIMEOUT_S = 60.0
_AGE = re.compile(r"(?<=\s)\d+(s|m|m\d+s)(?=\s|$)")
_PATHS = re.compile(r"/tmp/\S+")

WIDGET = """
apiVersion: diff.example.com/v1
kind: Widget
metadata: {name: first, labels: {a: b}}
spec: {color: red}
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: shared}
data: {%s}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "example/web:1", env: [{name: A, value: "1"}]}]}
"""


async def run(s: Sitting, *arguments: str, stdin: str = "") -> str:
    """Run kubectl in the namespace of the case; record what it printed and how it ended."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": f"/tmp/{s.namespace}",
        "KUBECONFIG": str(s.server.kubeconfig),
        "KUBE_EDITOR": "sed -i s/red/blue/",
    }
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        "-n",
        s.namespace,
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate(stdin.encode())
    finally:
        if process.returncode is None:
            process.kill()
    said = [_plain(out.decode()), _plain(err.decode())]
    s.say(" ".join(("kubectl", *arguments)), [process.returncode, *said])
    return out.decode()


def _plain(text: str) -> list[str]:
    lines = [_PATHS.sub("<file>", _AGE.sub("<age>", line)) for line in text.splitlines()]
    return [re.sub(r"\s{2,}", "  ", line.rstrip()) for line in lines]


@case()
async def apply_and_apply_again(s: Sitting) -> None:
    await run(s, "apply", "-f", "-", stdin=WIDGET)
    await run(s, "apply", "-f", "-", stdin=WIDGET)
    await run(s, "apply", "-f", "-", stdin=WIDGET.replace("red", "blue"))
    await run(s, "get", "widgets", "--no-headers")
    await run(s, "get", "wd", "-o", "wide")
    await run(s, "get", "diffs", "-o", "name")
    await run(s, "apply", "-f", "-", stdin=WIDGET.replace("red", "green"))
    await run(s, "apply", "-f", "-", stdin=WIDGET.replace("color", "colour"))
    await run(s, "delete", "widget", "first")
    await run(s, "get", "widgets")


@case()
async def server_side_apply(s: Sitting) -> None:
    server = ("apply", "--server-side", "-f", "-")
    await run(s, *server, "--field-manager=one", stdin=CONFIG % "a: one")
    await run(s, *server, "--field-manager=two", stdin=CONFIG % "b: two")
    await run(s, *server, "--field-manager=two", stdin=CONFIG % "a: two")
    await run(s, *server, "--field-manager=two", "--force-conflicts", stdin=CONFIG % "a: two")
    await run(s, "get", "configmap", "shared", "-o", "jsonpath={.data}")


@case()
async def diff(s: Sitting) -> None:
    await run(s, "apply", "-f", "-", stdin=CONFIG % "a: one")
    await run(s, "diff", "-f", "-", stdin=CONFIG % "a: one")
    out = await run(s, "diff", "-f", "-", stdin=CONFIG % "a: two")
    s.exchanges.pop()  # its head has the times of two files
    s.say("what differs", [line for line in out.splitlines() if line.startswith(("+ ", "- "))])


@case()
async def dry_runs(s: Sitting) -> None:
    await run(s, "apply", "--dry-run=server", "-f", "-", stdin=WIDGET)
    await run(s, "apply", "--dry-run=client", "-f", "-", stdin=CONFIG % "a: one")
    await run(s, "get", "widgets,configmaps", "-l", "a=b")


@case()
async def labels_annotations_and_patches(s: Sitting) -> None:
    await run(s, "apply", "-f", "-", stdin=WIDGET)
    await run(s, "label", "widget", "first", "size=big")
    await run(s, "label", "widget", "first", "size=small")
    await run(s, "label", "widget", "first", "size-")
    await run(s, "annotate", "widget", "first", "note=it")
    await run(s, "patch", "widget", "first", "--type=merge", "-p", '{"spec":{"size":5}}')
    await run(s, "patch", "widget", "first", "--type=merge", "-p", '{"spec":{"size":5}}')
    await run(
        s,
        "patch",
        "widget",
        "first",
        "--type=json",
        "-p",
        '[{"op":"replace","path":"/spec/size","value":6}]',
    )
    await run(s, "patch", "widget", "first", "-p", '{"spec":{"size":7}}')
    await run(
        s,
        "patch",
        "widget",
        "first",
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"status":{"phase":"Done"}}',
    )
    await run(s, "get", "widget", "first", "-o", "jsonpath={.spec.size} {.status.phase}")


@case()
async def edit_and_wait(s: Sitting) -> None:
    await run(s, "apply", "-f", "-", stdin=WIDGET)
    await run(s, "edit", "widget", "first")
    await run(s, "wait", "widget/first", "--for=jsonpath={.spec.color}=blue", "--timeout=10s")
    await run(s, "wait", "widget/first", "--for=condition=Ready", "--timeout=1s")
    await run(s, "wait", "widget/none", "--for=delete", "--timeout=1s")


@case()
async def scale(s: Sitting) -> None:
    await run(s, "apply", "-f", "-", stdin=WIDGET)
    await run(s, "scale", "widget", "first", "--replicas=3")
    await run(s, "get", "widget", "first", "-o", "jsonpath={.spec.replicas}")


@case()
async def short_commands(s: Sitting) -> None:
    await run(s, "create", "configmap", "c", "--from-literal=k=v")
    await run(s, "create", "configmap", "c", "--from-literal=k=v")
    await run(s, "create", "secret", "generic", "s", "--from-literal=k=v")
    await run(s, "create", "serviceaccount", "bot")
    await run(s, "create", "role", "r", "--verb=get", "--resource=configmaps")
    await run(s, "create", "rolebinding", "b", "--role=r", f"--serviceaccount={s.namespace}:bot")
    await run(s, "create", "quota", "q", "--hard=pods=3")
    for kind in ("configmap", "secret", "serviceaccount", "role", "rolebinding"):
        await run(s, "get", kind, "--field-selector=metadata.name!=kube-root-ca.crt")
    await run(s, "delete", "configmap", "c", "--wait=false")
    await run(s, "delete", "configmap", "c")
    await run(s, "delete", "configmap", "c", "--ignore-not-found")


@case()
async def rights(s: Sitting) -> None:
    await run(s, "create", "serviceaccount", "bot")
    await run(s, "create", "role", "r", "--verb=get", "--resource=configmaps")
    await run(s, "create", "rolebinding", "b", "--role=r", f"--serviceaccount={s.namespace}:bot")
    bot = f"--as=system:serviceaccount:{s.namespace}:bot"
    while (await s.ask("GET", s.path("configmaps/x"), **{"Impersonate-User": bot[5:]}))[0] == 403:
        await s.pause()
    await run(s, "auth", "can-i", "get", "configmaps", bot)
    await run(s, "auth", "can-i", "delete", "configmaps", bot)
    await run(s, "auth", "whoami", bot)
    await run(s, "get", "secrets", bot)


def _is_observed(deployment: Any) -> bool:
    observed = deployment.get("status", {}).get("observedGeneration")
    return bool(observed == deployment["metadata"]["generation"])


@case()
async def deployments(s: Sitting) -> None:
    await run(s, "apply", "-f", "-", stdin=DEPLOYMENT)
    await run(s, "apply", "-f", "-", stdin=DEPLOYMENT)
    await run(s, "apply", "-f", "-", stdin=DEPLOYMENT.replace('value: "1"', 'value: "2"'))
    await s.until(f"{s.path('deployments', 'apps/v1')}/web", _is_observed)
    s.exchanges.pop()  # what comes before it, and when, is its controller's business
    await run(s, "rollout", "status", "deployment/web", "--timeout=20s")
    await run(s, "get", "deployment", "web")
    await run(s, "get", "deployment", "web", "-o", "wide")
    await run(s, "set", "image", "deployment/web", "main=example/web:2")
    await run(
        s, "get", "deployment", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}"
    )


@case()
async def jobs(s: Sitting) -> None:
    await run(s, "create", "job", "j", "--image=example/j:1", "--", "run")
    await run(s, "get", "job", "j", "-o", "jsonpath={.spec.template.spec.containers[0]}")
    await run(s, "delete", "job", "j")


@case()
async def explain(s: Sitting) -> None:
    await run(s, "explain", "widget")
    await run(s, "explain", "widget.spec.parts")
    await run(s, "explain", "widget.spec.nothing")
    await run(s, "explain", "agents")
    await run(s, "explain", "channel.spec")


@case()
async def forms(s: Sitting) -> None:
    await run(s, "apply", "-f", "-", stdin=WIDGET)
    await run(s, "get", "widget", "first", "-o", "custom-columns=N:.metadata.name,C:.spec.color")
    await run(s, "get", "widget", "first", "-o", "yaml", "--show-managed-fields=false")
    s.exchanges.pop()  # uid, version and time in the text
    await run(s, "get", "widget", "-o", "go-template={{range .items}}{{.metadata.name}}{{end}}")
    await run(s, "get", "widget", "--show-labels")
    await run(s, "get", "widget", "-L", "a")
    await run(s, "get", "widget", "--sort-by=.metadata.name")
    await run(s, "get", "widget", "--chunk-size=1", "-o", "name")


@case()
async def what_is_not_there(s: Sitting) -> None:
    await run(s, "get", "widget", "none")
    await run(s, "get", "nothing")
    await run(s, "get", "pods")
    await run(s, "logs", "none")
    await run(s, "delete", "widget", "--all")
    await run(s, "create", "-f", "-", stdin="apiVersion: v1\nkind: Nothing\nmetadata: {name: a}\n")
    await run(s, "apply", "-f", "-", stdin="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A}\n")


@case()
async def describe(s: Sitting) -> None:
    await run(s, "apply", "-f", "-", stdin=CONFIG % "a: one")
    await run(s, "describe", "configmap", "shared")
    await run(s, "create", "secret", "generic", "s", "--from-literal=k=v")
    await run(s, "describe", "secret", "s")


@case()
async def replace_and_force(s: Sitting) -> None:
    await run(s, "create", "-f", "-", stdin=CONFIG % "a: one")
    await run(s, "replace", "-f", "-", stdin=CONFIG % "a: two")
    await run(s, "replace", "--force", "-f", "-", stdin=CONFIG % "a: three")
    await run(s, "get", "configmap", "shared", "-o", "jsonpath={.data.a}")
