"""Logs and commands of containers over HTTP on a Unix socket, for the API server to pass on."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from sympozium.contract.times import parse_kube_time
from sympozium_local.kubelet.logs import LogQuery, read_log
from sympozium_local.kubelet.node import Node
from sympozium_local.kubelet.pod import PodWorker

FindPod = Callable[[str, str], PodWorker | None]
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
        namespace, name = request.match_info["namespace"], request.match_info["pod"]
        container = request.match_info["container"]
        worker = self._find(namespace, name)
        state = None
        if worker is not None:
            state = next((c for c in worker.state.containers if c.name == container), None)
        if worker is None or state is None:
            raise web.HTTPNotFound(text=f"container {container!r} of pod {name!r} is not here")
        try:
            query, is_previous = _query(request.query)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        number = state.restarts
        folder = worker.folder / container
        if is_previous or (not (folder / f"{number}.log").exists() and state.last is not None):
            number -= 1
        path = folder / f"{number}.log"
        if not path.exists():
            which = "previous terminated container" if is_previous else "container"
            text = f'{which} "{container}" in pod "{name}" is waiting to start'
            raise web.HTTPBadRequest(text=text if not is_previous else f"{text}: not found")
        return path, query


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
