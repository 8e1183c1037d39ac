"""The console: the front end as it was built into `web/dist`, served from memory.

Laws: what is served was read whole when the server started, so no path of a request ever reaches the file
system; a file whose name holds its hash is cached for good, every other is asked for again; where nothing was
built, a page says how to.
"""

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

FOR_GOOD = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
MIN_GZIP_BYTES = 1024
PACKED = ("text/", "application/json", "application/manifest+json", "image/svg+xml")
TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2"}

NOT_BUILT = """<!doctype html>
<html lang="vi"><meta charset="utf-8"><title>Loa</title>
<h1>Loa đang chạy, nhưng giao diện chưa được dựng</h1>
<p>Trong thư mục mã nguồn, hãy chạy <code>make run</code>, rồi tải lại trang này.</p>
<h1 lang="en">Loa is running, but its console has not been built</h1>
<p lang="en">In the source folder run <code>make run</code> and reload this page.
The API is described at <a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """One file. `packed` is None where packing saves nothing."""

    body: bytes
    packed: bytes | None
    content_type: str
    etag: str
    cache: str


class Console:
    """See the module. `load` before the first request."""

    def __init__(self, dist: Path) -> None:
        self._dist = dist
        self._pages: dict[str, Page] = {}

    async def load(self) -> None:
        self._pages = await asyncio.to_thread(read_pages, self._dist)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.index),
            web.get("/assets/{name:.+}", self.file),
            web.get("/{name:[^/]+}", self.file),
        ]

    async def index(self, request: web.Request) -> web.StreamResponse:
        if "index.html" not in self._pages:
            await self.load()
        page = self._pages.get("index.html")
        if page is None:
            return web.Response(text=NOT_BUILT, content_type="text/html", status=503)
        return answer(request, page)

    async def file(self, request: web.Request) -> web.StreamResponse:
        page = self._pages.get(request.path.removeprefix("/"))
        if page is None:
            raise web.HTTPNotFound
        return answer(request, page)


def answer(request: web.Request, page: Page) -> web.StreamResponse:
    """The page, or that the browser's own copy is still right."""
    headers = {"ETag": page.etag, "Cache-Control": page.cache, "Vary": "Accept-Encoding"}
    if page.etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    body = page.body
    if page.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        body, headers["Content-Encoding"] = page.packed, "gzip"
    charset = "utf-8" if page.content_type.startswith("text/") else None
    return web.Response(body=body, content_type=page.content_type, charset=charset, headers=headers)


def read_pages(dist: Path) -> dict[str, Page]:
    """Every file below `dist`, by its path; none where there is no such folder. Blocks."""
    return {
        path.relative_to(dist).as_posix(): read_page(path, hashed=path.parent.name == "assets")
        for path in sorted(dist.rglob("*"))
        if path.is_file()
    }


def read_page(path: Path, *, hashed: bool) -> Page:
    body = path.read_bytes()
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = (
        gzip.compress(body, 9, mtime=0) if kind.startswith(PACKED) and len(body) >= MIN_GZIP_BYTES else None
    )
    return Page(
        body=body,
        packed=packed if packed is not None and len(packed) < len(body) else None,
        content_type=kind,
        etag=f'"{hashlib.sha256(body).hexdigest()[:20]}"',
        cache=FOR_GOOD if hashed else ASK_AGAIN,
    )
