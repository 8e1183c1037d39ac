"""Behind a real nginx and a real Caddy, each set up with the very text of docs/operations.md."""

import asyncio
import io
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from loa.config import load
from loa.listening import bound, entrance, listening
from loa.web.entrance import enter
from loa.web.guard import cookie_name, harden, supervise

from .proxies import Proxied, free_port, running
from .raw import AMBIGUOUS, exchange

pytestmark = pytest.mark.peer

LAST = b"GET /listen/last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CLIENT = "127.0.0.2"
"""An address of this machine that is no trusted proxy."""


@pytest.fixture(params=["nginx", "caddy"])
async def proxied(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Proxied]:
    served = Proxied(tmp_path, request.param, free_port(), free_port())
    told = load(host="127.0.0.1", http_port=0, https_port=0, trusted_proxies=[ip_network("127.0.0.1/32")])
    with bound(told) as ports:
        app = web.Application(middlewares=[harden, supervise, enter(entrance(told, ports, None))])
        app.router.add_get("/speaker/link", served.link)
        app.router.add_get("/api/v1/events", served.events)
        app.router.add_route("*", "/{path:.*}", served.handle)
        async with listening(app, ports, None), running(served, ports.http):
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
        assert answer.status in (413, 502)
        assert "X-Content-Type-Options" not in answer.headers, "the proxy has turned it away"


@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_the_node_sees_no_request_that_the_proxy_did_not(proxied: Proxied, name: str) -> None:
    """Who smuggles makes the node count more requests than the proxy; below /listen, which comes in clear."""
    sent = AMBIGUOUS[name].replace(b"/first", b"/listen/a").replace(b"/smuggled", b"/listen/smuggled")
    await exchange(proxied.plain, sent)
    await exchange(proxied.plain, LAST)
    assert "GET /listen/last" in proxied.seen
    extra = Counter(proxied.seen) - proxied.logged()
    assert not extra, f"{proxied.name} never meant to send {extra}"
