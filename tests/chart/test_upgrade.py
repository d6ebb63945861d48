"""A release of an earlier chart takes this one, with the values that it was installed with."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from sympozium_local.apiserver.server import serve
from tests.chart.helm import CHART, NAMESPACE, Object, leaves, objects, template

EARLIER = Path(__file__).parent / "earlier" / "values.yaml"
"""The values of the first chart: every one that came later is missing in it."""

INSTALLED = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: earlier}
"""


class RefusedError(Exception):
    """What helm says where it does not do as it is told."""


def earlier_chart(folder: Path) -> Path:
    """Write a chart of which a release has the earlier values, and no more than one object."""
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: sympozium, version: 0.0.1}\n")
    (folder / "values.yaml").write_text(EARLIER.read_text())
    (folder / "templates" / "earlier.yaml").write_text(INSTALLED)
    return folder


async def release(helm: str, kubeconfig: Path, *arguments: str) -> str:
    """Run helm against a cluster, and return what it prints.

    Raises:
        RefusedError: It refuses, and says why.
    """
    home = str(kubeconfig.parent)
    process = await asyncio.create_subprocess_exec(
        *(helm, *arguments, "-n", NAMESPACE),
        env={"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": str(kubeconfig)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        out, errors = await process.communicate()
    if process.returncode:
        raise RefusedError(errors.decode())
    return out.decode()


def without_hooks(rendered: list[Object]) -> list[Object]:
    """Return the objects that belong to a release, in one order."""
    kept = [
        obj for obj in rendered if "helm.sh/hook" not in (obj["metadata"].get("annotations") or {})
    ]
    return sorted(kept, key=lambda obj: (obj["kind"], str(obj["metadata"])))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("way", ["--reuse-values", "--reset-then-reuse-values"])
async def test_a_release_of_the_first_chart_is_upgraded_with_its_own_values(
    helm: str, way: str, tmp_path: Path
) -> None:
    chart = earlier_chart(tmp_path / "earlier")
    async with serve(tmp_path) as endpoint:
        config = endpoint.kubeconfig
        chosen = ("--set", "controller.logLevel=DEBUG")
        installing = ("install", "sympozium", str(chart), "--create-namespace", *chosen)
        await release(helm, config, *installing)
        await release(helm, config, "upgrade", "sympozium", str(CHART), way, "--no-hooks")
        held = await release(helm, config, "get", "manifest", "sympozium")
    expected = without_hooks(objects(helm, *chosen))
    assert without_hooks([obj for obj in yaml.safe_load_all(held) if obj]) == expected


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("installed", "wanted"), [(1, 3), (3, 1)])
async def test_the_servers_of_a_bus_that_holds_messages_stay_as_many(
    helm: str, installed: int, wanted: int, tmp_path: Path
) -> None:
    async with serve(tmp_path) as endpoint:
        what = ("sympozium", str(CHART), "--no-hooks", "--set")
        first = ("install", *what, f"nats.replicas={installed}", "--create-namespace")
        await release(helm, endpoint.kubeconfig, *first)
        with pytest.raises(RefusedError, match=rf"set nats\.replicas={installed},"):
            await release(helm, endpoint.kubeconfig, "upgrade", *what, f"nats.replicas={wanted}")
        await release(helm, endpoint.kubeconfig, "upgrade", *what, f"nats.replicas={installed}")


def test_a_value_that_came_later_has_its_default_where_it_is_absent(
    helm: str, tmp_path: Path
) -> None:
    known = dict(leaves(yaml.safe_load(EARLIER.read_text())))
    now = dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
    later = [path for path in now if path not in known]
    assert later
    for gone in (later, sorted({path.split(".")[0] for path in later} - top_level(known))):
        absent = [part for path in gone for part in ("--set", f"{path}=null")]
        assert template(helm, *absent) == template(helm)


def top_level(known: dict[str, Any]) -> set[str]:
    """Return the groups that values are in."""
    return {path.split(".")[0] for path in known}
