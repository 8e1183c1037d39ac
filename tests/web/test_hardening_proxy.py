"""Behind a real nginx, set up with the very text of docs/operations.md."""

import asyncio
import io
import re
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from loa.config import load
from loa.listening import bound, entrance, listening
from loa.web.certificate import ensure_certificate
from loa.web.entrance import enter
from loa.web.guard import cookie_name, harden, supervise

from .raw import AMBIGUOUS, exchange

pytestmark = pytest.mark.peer

OPERATIONS = Path(__file__).parent.parent.parent / "docs" / "operations.md"
LAST = b"GET /listen/last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
IDLE_S = 2.0
CLIENT = "127.0.0.2"
"""An address of this machine that is no trusted proxy."""

AROUND = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    log_format seen "$request_method $request_uri";
    access_log {folder}/access.log seen;
    keepalive_timeout {idle}s;
    client_header_timeout {idle}s;
    client_body_timeout {idle}s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""


@dataclass
class Proxied:
    """`plain`: a port of nginx without TLS; `tls`: the documented one."""

    folder: Path
    plain: int = 0
    tls: int = 0
    seen: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.seen.append(f"{request.method} {request.raw_path}")
        told = {"remote": request.remote, "secure": request.secure, "host": request.host}
        response = web.json_response(told)
        response.set_cookie(cookie_name(secure=request.secure), "x", secure=request.secure, httponly=True)
        return response

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await ws.send_json({"remote": request.remote, "secure": request.secure})
        await ws.send_bytes(await ws.receive_bytes())
        await ws.close()
        return ws

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The second event waits for another request: a proxy that buffers would wait for ever."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await self.released.wait()
        await response.write(b"data: 2\n\n")
        return response

    def __post_init__(self) -> None:
        self.released = asyncio.Event()

    def logged(self) -> Counter[str]:
        lines = (self.folder / "access.log").read_text("utf-8", "replace").splitlines()
        return Counter(line for line in lines if line.startswith(("GET /", "POST /")))


def documented() -> str:
    found = re.search(r"```nginx\n(.*?)```", OPERATIONS.read_text("utf-8"), re.S)
    assert found is not None
    return found[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def configuration(proxied: Proxied, upstream: int) -> str:
    """The documented server with this test's ports and files; a port without TLS beside, for raw bytes."""
    made = ensure_certificate(proxied.folder / "tls", ["localhost", "127.0.0.1"], datetime.now(UTC))
    server = documented()
    listens = f"listen 127.0.0.1:{proxied.tls} ssl http2;\nlisten 127.0.0.1:{proxied.plain};"
    for text, instead in (
        ("listen 443 ssl http2;", listens),
        ("/etc/loa/fullchain.pem", str(made.certificate)),
        ("/etc/loa/privkey.pem", str(made.key)),
        ("http://127.0.0.1:8080", f"http://127.0.0.1:{upstream}"),
    ):
        assert text in server, f"docs/operations.md does not say {text}"
        server = server.replace(text, instead)
    return AROUND.format(folder=proxied.folder, idle=int(IDLE_S), server=server)


@asynccontextmanager
async def nginx(folder: Path, text: str, port: int) -> AsyncIterator[None]:
    file = folder / "nginx.conf"
    file.write_text(text)
    process = await asyncio.create_subprocess_exec(
        *("/usr/sbin/nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(file))
    )
    try:
        async with asyncio.timeout(20):
            while True:
                assert process.returncode is None, (folder / "error.log").read_text()
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                break
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Proxied]:
    served = Proxied(tmp_path, free_port(), free_port())
    told = load(host="127.0.0.1", http_port=0, https_port=0, trusted_proxies=[ip_network("127.0.0.1/32")])
    with bound(told) as ports:
        app = web.Application(middlewares=[harden, supervise, enter(entrance(told, ports, None))])
        app.router.add_get("/speaker/link", served.link)
        app.router.add_get("/api/v1/events", served.events)
        app.router.add_route("*", "/{path:.*}", served.handle)
        async with (
            listening(app, ports, None),
            nginx(tmp_path, configuration(served, ports.http), served.plain),
        ):
            yield served


@pytest.fixture
async def browser(proxied: Proxied) -> AsyncIterator[aiohttp.ClientSession]:
    trusting = ssl.create_default_context(cafile=str(proxied.folder / "tls" / "tls.pem"))
    base = f"https://localhost:{proxied.tls}"
    connector = aiohttp.TCPConnector(ssl=trusting, family=socket.AF_INET, local_addr=(CLIENT, 0))
    async with aiohttp.ClientSession(base, connector=connector) as session:
        yield session


async def json_of(answer: aiohttp.ClientResponse) -> Any:
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def test_what_the_proxy_says_counts_and_what_the_client_writes_does_not(
    proxied: Proxied, browser: aiohttp.ClientSession
) -> None:
    lies = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}
    async with browser.get("/api/v1/session", headers=lies) as answer:
        told = await json_of(answer)
        assert told == {"remote": CLIENT, "secure": True, "host": f"localhost:{proxied.tls}"}
        cookie = answer.cookies[cookie_name(secure=True)]
        assert cookie["secure"]
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


async def test_in_clear_through_the_proxy_is_in_clear(proxied: Proxied) -> None:
    async with aiohttp.ClientSession(f"http://localhost:{proxied.plain}") as session:
        async with session.get("/", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (308, "https://localhost/")
        async with session.post("/api/v1/session", headers={"X-Forwarded-Proto": "https"}) as answer:
            assert answer.status == 403
    assert proxied.seen == []


async def test_links_go_through(browser: aiohttp.ClientSession) -> None:
    async with browser.ws_connect("/speaker/link") as ws:
        assert await ws.receive_json() == {"remote": CLIENT, "secure": True}
        await ws.send_bytes(b"hello")
        assert await ws.receive_bytes() == b"hello"


async def test_nothing_else_is_a_tunnel(browser: aiohttp.ClientSession, proxied: Proxied) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}
    async with browser.get("/api/v1/session", headers=upgrade) as answer:
        assert answer.status == 200


async def test_live_events_are_not_held_back(browser: aiohttp.ClientSession, proxied: Proxied) -> None:
    async with asyncio.timeout(20), browser.get("/api/v1/events") as answer:
        assert await answer.content.readuntil(b"\n\n") == b"data: 1\n\n"
        proxied.released.set()
        assert await answer.content.readuntil(b"\n\n") == b"data: 2\n\n"


async def test_uploads_may_be_larger_than_the_rest(browser: aiohttp.ClientSession, proxied: Proxied) -> None:
    sound = bytes(2 << 20)
    async with browser.post("/api/v1/programs", data=io.BytesIO(sound)) as answer:
        assert answer.status in (200, 413)
        assert "X-Content-Type-Options" in answer.headers, "it reached the node, whose limit it is"
    async with browser.post("/api/v1/places", data=io.BytesIO(sound)) as answer:
        assert answer.status == 413
        assert "X-Content-Type-Options" not in answer.headers, "nginx has turned it away"


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_the_node_sees_no_request_that_the_proxy_did_not(proxied: Proxied, name: str) -> None:
    """Who smuggles makes the node count more requests than nginx; below /listen, which comes in clear."""
    sent = AMBIGUOUS[name].replace(b"/first", b"/listen/a").replace(b"/smuggled", b"/listen/smuggled")
    await exchange(proxied.plain, sent)
    await exchange(proxied.plain, LAST)
    assert "GET /listen/last" in proxied.seen
    extra = Counter(proxied.seen) - proxied.logged()
    assert not extra, f"nginx never meant to send {extra}"
