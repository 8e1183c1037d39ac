"""Real proxies before a node's way in, set up with the very text of docs/operations.md."""

import asyncio
import json
import os
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from loa.web.certificate import Certificate, ensure_certificate
from loa.web.guard import cookie_name

OPERATIONS = Path(__file__).parent.parent.parent / "docs" / "operations.md"
IDLE_S = 2.0

AROUND_NGINX = """
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
AROUND_CADDY = """
{{
    admin off
    auto_https disable_redirects
    grace_period 1s
    servers {{
        timeouts {{
            read_header {idle}s
            read_body {idle}s
            idle {idle}s
        }}
    }}
}}
{server}
"""
BESIDE_CADDY = "bind 127.0.0.1\nlog\n"


@dataclass
class Proxied:
    """What the node behind the proxy was given. `plain`: a port of the proxy without TLS; `tls`: the
    documented one.
    """

    folder: Path
    name: str
    plain: int = 0
    tls: int = 0
    seen: list[str] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

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

    def logged(self) -> Counter[str]:
        """What the proxy says that it was asked."""
        if self.name == "caddy":
            told = [json.loads(line) for line in self._lines("said.log")]
            asked = [one["request"] for one in told if one.get("logger", "").startswith("http.log.access")]
            lines = [f"{request['method']} {request['uri']}" for request in asked]
        else:
            lines = self._lines("access.log")
        return Counter(line for line in lines if line.startswith(("GET /", "POST /")))

    def _lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text("utf-8", "replace").splitlines()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def documented(name: str) -> str:
    """The example for this proxy."""
    found = re.search(rf"```{name}\n(.*?)```", OPERATIONS.read_text("utf-8"), re.S)
    assert found is not None
    return found[1]


def configuration(proxied: Proxied, upstream: int) -> str:
    """The documented server with this test's ports and files; a port without TLS beside, for raw bytes."""
    made = ensure_certificate(proxied.folder / "tls", ["localhost", "127.0.0.1"], datetime.now(UTC))
    text, replaced = documented(proxied.name), _replaced(proxied, upstream, made)
    for words, instead in replaced.items():
        assert words in text, f"docs/operations.md does not say {words}"
        text = text.replace(words, instead)
    around = AROUND_CADDY if proxied.name == "caddy" else AROUND_NGINX
    if proxied.name == "caddy":
        in_clear = text.replace(f"https://localhost:{proxied.tls}", f"http://localhost:{proxied.plain}")
        text += in_clear.replace(f"tls {made.certificate} {made.key}\n", "")
    return around.format(folder=proxied.folder, idle=int(IDLE_S), server=text)


def _replaced(proxied: Proxied, upstream: int, made: Certificate) -> dict[str, str]:
    if proxied.name == "caddy":
        site = f"https://localhost:{proxied.tls} {{\ntls {made.certificate} {made.key}\n{BESIDE_CADDY}"
        return {"loa.example {": site, "127.0.0.1:8080": f"127.0.0.1:{upstream}"}
    listens = f"listen 127.0.0.1:{proxied.tls} ssl http2;\nlisten 127.0.0.1:{proxied.plain};"
    return {
        "listen 443 ssl http2;": listens,
        "/etc/loa/fullchain.pem": str(made.certificate),
        "/etc/loa/privkey.pem": str(made.key),
        "http://127.0.0.1:8080": f"http://127.0.0.1:{upstream}",
    }


def _command(proxied: Proxied, file: Path) -> Sequence[str]:
    folder = proxied.folder
    if proxied.name == "caddy":
        return ("/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", str(file))
    return ("/usr/sbin/nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(file))


@asynccontextmanager
async def running(proxied: Proxied, upstream: int) -> AsyncIterator[None]:
    """The proxy, before the node at `upstream`."""
    file, said = proxied.folder / "proxy.conf", proxied.folder / "said.log"
    file.write_text(configuration(proxied, upstream))
    at_home = os.environ | {"HOME": str(proxied.folder), "XDG_DATA_HOME": str(proxied.folder)}
    with said.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *_command(proxied, file), env=at_home, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(20):
            for port in (proxied.plain, proxied.tls):
                while not await _answers(port):
                    assert process.returncode is None, said.read_text()
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        await asyncio.sleep(0.02)
        return False
    writer.close()
    return True
