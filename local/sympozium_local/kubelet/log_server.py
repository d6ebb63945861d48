"""Logs and commands of containers over HTTP on a Unix socket, for the API server to pass on."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from sympozium.contract.resources import Object
from sympozium.contract.times import parse_kube_time
from sympozium_local.kubelet.logs import LogQuery, read_log
from sympozium_local.kubelet.node import Node

FindPod = Callable[[str, str], Object | None]
_SHUTDOWN_S = 0.5


@asynccontextmanager
async def serve_logs(path: Path | None, node: Node, find: FindPod) -> AsyncIterator[None]:
    """Answer ``GET /containerLogs/{namespace}/{pod}/{container}`` on the Unix socket *path*."""
    if path is None:
        yield
        return
    server = _LogServer(node, find)
    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    _remove(path)
    before = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(path)).start()
    finally:
        os.umask(before)
    try:
        yield
    finally:
        await runner.cleanup()
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


class _LogServer:
    def __init__(self, node: Node, find: FindPod) -> None:
        self._node = node
        self._find = find

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Stream one log."""
        path, query = self._locate(request)
        response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
        await response.prepare(request)
        async for piece in read_log(path, query, self._node.log_writers.get(path)):
            await response.write(piece)
        await response.write_eof()
        return response

    def _locate(self, request: web.Request) -> tuple[Path, LogQuery]:
        name, container = request.match_info["pod"], request.match_info["container"]
        pod = self._find(request.match_info["namespace"], name)
        if pod is None or container not in _container_names(pod):
            raise web.HTTPNotFound(text=f"container {container!r} of pod {name!r} is not here")
        try:
            query, is_previous = _query(request.query)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        folder = self._node.pod_dir(pod["metadata"]["uid"]) / container
        executions = sorted(int(path.stem) for path in folder.glob("*.log"))
        if len(executions) <= is_previous:
            raise web.HTTPBadRequest(text=_why_no_log(pod, container, is_previous=is_previous))
        return folder / f"{executions[-1 - is_previous]}.log", query


def _why_no_log(pod: Object, container: str, *, is_previous: bool) -> str:
    where = f'"{container}" in pod "{pod["metadata"]["name"]}"'
    if is_previous:
        return f"previous terminated container {where} not found"
    status = pod.get("status") or {}
    entries = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    waiting = [one["state"].get("waiting") or {} for one in entries if one["name"] == container]
    reason = waiting[0].get("reason") if waiting else "PodInitializing"
    return f"container {where} is waiting to start: {reason or 'ContainerCreating'}"


def _container_names(pod: Object) -> set[str]:
    spec = pod["spec"]
    return {c["name"] for c in (*(spec.get("initContainers") or ()), *spec["containers"])}


def _query(given: Mapping[str, str]) -> tuple[LogQuery, bool]:
    since = None
    if "sinceSeconds" in given:
        since = datetime.now(UTC) - timedelta(seconds=int(given["sinceSeconds"]))
    elif "sinceTime" in given:
        since = parse_kube_time(given["sinceTime"])
    query = LogQuery(
        tail_lines=int(given["tailLines"]) if "tailLines" in given else None,
        since=since,
        has_timestamps=given.get("timestamps") in {"true", "1"},
        limit_bytes=int(given["limitBytes"]) if "limitBytes" in given else None,
        follow=given.get("follow") in {"true", "1"},
    )
    return query, given.get("previous") in {"true", "1"}
