"""Play cases against a server and keep what came back."""

import asyncio
import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from aiohttp import ClientError

from tests.differential import cases
from tests.differential.case import CASES, Case, Exchange, Sitting
from tests.differential.kinds import V1, WIDGET_CRDS
from tests.differential.server import Server

AT_ONCE = 12
WITH_PODS = frozenset({"jobs", "pods"})
"""Topics whose namespaces go at once. Others stay until all cases are over: emptying hundreds of
them keeps the real namespace controller from the one whose end a case waits for."""

CASE_TIMEOUT_S = 90.0
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
OUR_CRDS = Path(__file__).parents[2] / "helm/sympozium-crds/definitions"

Transcripts = dict[str, list[Exchange]]


def load_cases() -> dict[str, Case]:
    """Return all cases by name."""
    for module in pkgutil.iter_modules(cases.__path__):
        importlib.import_module(f"{cases.__name__}.{module.name}")
    return dict(sorted(CASES.items()))


async def play_all(server: Server, chosen: Iterable[Case]) -> tuple[Transcripts, dict[str, str]]:
    """Play *chosen* side by side; return their transcripts, and what stopped those that failed."""
    await install_kinds(server)
    gate = asyncio.Semaphore(AT_ONCE)
    transcripts: Transcripts = {}
    failures: dict[str, str] = {}
    left: list[str] = []

    async def play(one: Case) -> None:
        async with gate:
            sitting = Sitting(server)
            transcripts[one.name] = sitting.exchanges
            try:
                async with asyncio.timeout(CASE_TIMEOUT_S):
                    await _open(sitting)
                    await one.play(sitting)
            except (
                AssertionError,
                AttributeError,
                LookupError,
                TypeError,
                ValueError,
                OSError,
                ClientError,
            ) as error:
                failures[one.name] = f"{type(error).__name__}: {error}"
            finally:
                left.append(sitting.namespace)
                if one.topic in WITH_PODS:
                    await _clear(server, [left.pop()])

    async with asyncio.TaskGroup() as group:
        for one in chosen:
            group.create_task(play(one))
    await _clear(server, left)
    return dict(sorted(transcripts.items())), failures


async def _clear(server: Server, namespaces: list[str]) -> None:
    while namespaces:
        await Sitting(server).ask("DELETE", f"/api/v1/namespaces/{namespaces.pop()}")


async def _open(sitting: Sitting) -> None:
    await sitting.ask("POST", "/api/v1/namespaces", {"metadata": {"name": sitting.namespace}})
    async with asyncio.timeout(20):
        for path in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
            while (await sitting.ask("GET", sitting.path(path)))[0] != 200:
                await sitting.pause()


async def install_kinds(server: Server) -> None:
    """Serve the kinds of the test and our own, and return when they are."""
    sitting = Sitting(server)
    ours: list[Any] = [yaml.safe_load(file.read_text()) for file in sorted(OUR_CRDS.glob("*.yaml"))]
    for crd in (*WIDGET_CRDS, *ours):
        status, _, answer = await sitting.ask("POST", CRDS, crd)
        assert status in {201, 409}, answer
    async with asyncio.timeout(30):
        for crd in (*WIDGET_CRDS, *ours):
            spec = crd["spec"]
            path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
            found = f"/apis/{spec['group']}/{spec['versions'][0]['name']}"
            while (await sitting.ask("GET", path))[0] != 200:
                await sitting.pause()
            while spec["names"]["plural"] not in str(await sitting.ask("GET", found)):
                await sitting.pause()
            while spec["names"]["kind"] not in str(await sitting.ask("GET", f"/openapi/v3{found}")):
                await sitting.pause()
    await _await_collection(sitting)


async def _await_collection(sitting: Sitting) -> None:
    """Return once the garbage collector knows the kinds: the real one looks every 30 s."""
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "never",
        "uid": "00000000-0000-0000-0000-000000000002",
    }
    orphan = {
        "apiVersion": V1,
        "kind": "Widget",
        "metadata": {"name": sitting.namespace, "ownerReferences": [reference]},
    }
    path = sitting.path("widgets", V1, namespace="default")
    status, _, answer = await sitting.ask("POST", path, orphan)
    assert status == 201, answer
    async with asyncio.timeout(120):
        while (await sitting.ask("GET", f"{path}/{sitting.namespace}"))[0] != 404:
            await sitting.pause()
