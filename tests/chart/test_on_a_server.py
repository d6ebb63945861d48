"""What is rendered is accepted by an API server, kind by kind and with their rules."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from sympozium_local.apiserver.server import serve
from tests.chart.helm import CHART, NAMESPACE, Object, objects

KUBECTL = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or ""
pytestmark = pytest.mark.skipif(not KUBECTL, reason="kubectl is not installed")
FIRST = {"Namespace", "CustomResourceDefinition"}


async def kubectl(environ: dict[str, str], *arguments: str, stdin: str) -> tuple[int, str]:
    """Return how kubectl ended and what it said."""
    process = await asyncio.create_subprocess_exec(
        KUBECTL,
        *arguments,
        env=environ,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate(stdin.encode())
    return process.returncode or 0, out.decode()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["values.yaml", "values-production.yaml"])
async def test_a_server_accepts_what_is_rendered(helm: str, name: str, tmp_path: Path) -> None:
    off = "monitoring.serviceMonitor.enabled=false,monitoring.prometheusRule.enabled=false"
    rendered = objects(helm, "-f", str(CHART / name), "--set", off)
    system: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    first = [system, *(obj for obj in rendered if obj["kind"] in FIRST)]
    async with serve(tmp_path) as endpoint:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "KUBECONFIG": str(endpoint.kubeconfig),
        }
        code, said = await kubectl(
            environ, "apply", "-f", "-", "--server-side", stdin=yaml.safe_dump_all(first)
        )
        assert code == 0, said
        code, said = await kubectl(
            environ, "apply", "-f", "-", "--dry-run=server", stdin=yaml.safe_dump_all(rendered)
        )
    assert code == 0, said
    assert said.count("(server dry run)") == len(rendered)
