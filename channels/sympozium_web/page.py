"""The page: a few files without a build step, and the headers that hold it to itself."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from aiohttp import web

CONTENT_TYPES = {
    "css": "text/css",
    "html": "text/html",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class StaticFile:
    """One file of the page, read once."""

    body: bytes
    content_type: str
    etag: str


class Page:
    """Serves the files of `static/` from memory: `index.html` is `/`, the rest `/static/*`."""

    def __init__(self) -> None:
        self._files = {
            entry.name: _read(entry.name, entry.read_bytes())
            for entry in files("sympozium_web").joinpath("static").iterdir()
            if entry.name.rpartition(".")[2] in CONTENT_TYPES
        }

    def add_routes(self, app: web.Application) -> None:
        """Serve the page's files."""
        app.router.add_get("/", self._index)
        app.router.add_get("/static/{name}", self._file)
        app.on_response_prepare.append(_add_security_headers)

    async def _index(self, request: web.Request) -> web.Response:
        return _answer(request, self._files["index.html"])

    async def _file(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return _answer(request, found)


def _read(name: str, body: bytes) -> StaticFile:
    etag = hashlib.sha256(body).hexdigest()[:32]
    return StaticFile(body, CONTENT_TYPES[name.rpartition(".")[2]], etag)


def _answer(request: web.Request, file: StaticFile) -> web.Response:
    """Return *file*, or that the browser's copy is as good. It always asks: we may be upgraded."""
    known = {tag.value for tag in request.if_none_match or ()}
    response = (
        web.Response(status=304)
        if file.etag in known
        else web.Response(body=file.body, content_type=file.content_type, charset="utf-8")
    )
    response.etag = file.etag
    response.headers["Cache-Control"] = "no-cache"
    return response


async def _add_security_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
