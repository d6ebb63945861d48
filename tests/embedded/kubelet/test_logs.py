"""What containers printed, as the API server asks the kubelet for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sympozium.contract.resources import Object
from sympozium.contract.times import parse_kube_time

Build = Callable[..., Object]


class LogClient:
    """Asks the kubelet's socket."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def ask(self, pod: str, container: str = "a", **query: str) -> Any:
        url = f"http://kubelet/containerLogs/default/{pod}/{container}"
        return self._session.get(url, params=query)

    async def text(self, pod: str, container: str = "a", **query: str) -> str:
        async with self.ask(pod, container, **query) as answer:
            return str(await answer.text())


@asynccontextmanager
async def asked(log_socket: Path) -> AsyncIterator[LogClient]:
    connector = aiohttp.UnixConnector(path=str(log_socket))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield LogClient(session)


@pytest.fixture
async def logs(node: Any) -> AsyncIterator[LogClient]:
    async with asked(node.settings.log_socket) as client:
        yield client


async def test_logs_are_served_whole_in_part_and_with_times(
    node: Any, logs: LogClient, pod: Build, sh: Build
) -> None:
    await node.run(pod("p", sh("a", "echo one; echo two >&2; printf three")))
    assert await logs.text("p") == "one\ntwo\nthree\n"
    assert await logs.text("p", tailLines="1") == "three\n"
    assert await logs.text("p", limitBytes="5") == "one\nt"
    assert await logs.text("p", sinceSeconds="600") == "one\ntwo\nthree\n"
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert await logs.text("p", sinceTime=later) == ""
    stamp, text = (await logs.text("p", timestamps="true", tailLines="1")).split(" ", 1)
    assert text == "three\n"
    assert datetime.now(UTC) - parse_kube_time(stamp) < timedelta(minutes=1)


async def test_following_a_log_brings_lines_as_they_come_and_ends_with_the_container(
    node: Any, logs: LogClient, pod: Build, sh: Build
) -> None:
    shared = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    script = "echo one; until [ -e /v/go ]; do sleep 0.02; done; echo two"
    created = pod("p", sh("a", script, **shared), volumes=[{"name": "v", "emptyDir": {}}])
    await node.create(created)
    found = await node.wait_for("p", lambda p: p["status"].get("phase") == "Running")
    async with logs.ask("p", follow="true") as answer:
        assert await answer.content.readline() == b"one\n"
        node.touch(found, "v", "go")
        assert await answer.content.read() == b"two\n"


async def test_the_log_before_a_restart_is_kept(
    node: Any, logs: LogClient, pod: Build, sh: Build
) -> None:
    shared = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    script = "if [ -e /v/x ]; then echo second; sleep 60; fi; touch /v/x; echo first; exit 1"
    await node.create(
        pod(
            "p",
            sh("a", script, **shared),
            restartPolicy="Always",
            volumes=[{"name": "v", "emptyDir": {}}],
        )
    )

    def has_restarted(p: Object) -> bool:
        entries = p["status"].get("containerStatuses") or [{}]
        return entries[0].get("restartCount") == 1 and "running" in entries[0]["state"]

    await node.wait_for("p", has_restarted)
    assert await logs.text("p", previous="true") == "first\n"
    async with logs.ask("p", follow="true") as answer:
        assert await answer.content.readline() == b"second\n"


async def test_a_log_stays_within_bounds(node: Any, logs: LogClient, pod: Build, sh: Build) -> None:
    script = "head -c 24000000 /dev/zero | tr '\\0' x | fold -w 1000; echo; echo end"
    done, _ = await node.run(pod("p", sh("a", script)))
    folder = node.settings.data_dir / "pods" / done["metadata"]["uid"] / "a"
    files = [path for path in folder.iterdir() if path.name.startswith("0.log")]
    assert sum(path.stat().st_size for path in files) <= 2 * 10 * 1024 * 1024
    assert (await logs.text("p", tailLines="1")) == "end\n"


async def test_the_log_of_a_pod_outlives_the_kubelet_that_ran_it(
    kubeless: Any, start_kubelet: Any, pod: Build, sh: Build
) -> None:
    async with start_kubelet(kubeless.settings):
        await kubeless.run(pod("p", sh("a", "echo kept")))
    async with start_kubelet(kubeless.settings), asked(kubeless.settings.log_socket) as logs:
        assert await logs.text("p") == "kept\n"


async def test_asking_for_what_is_not_there_says_so(node: Any, logs: LogClient) -> None:
    async with logs.ask("nobody") as answer:
        assert answer.status == 404
