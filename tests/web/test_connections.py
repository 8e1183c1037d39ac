"""How many connections an address may hold open, with real sockets; and whom nobody counts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from loa.config import Settings, load
from loa.listening import Ports, Tls, bound, listening
from loa.web.certificate import ensure_certificate
from loa.web.connections import TURNED_AWAY_AT_ONCE, Connections
from loa.web.hop import Network

MOST = 8
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
HERE = ("192.0.2.1", 8080)


def told(**more: Any) -> Settings:
    return load(host="127.0.0.1", http_port=0, https_port=0, connections_per_address=MOST, **more)


class Caller:
    """A connection that stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def comes_in(self, path: str = "/") -> bool:
        """Whether what it asks for is answered."""
        async with asyncio.timeout(20):
            with suppress(ConnectionError):
                self.writer.write(ASK.replace(b"/ ", path.encode() + b" ", 1))
                await self.writer.drain()
                head = await self.reader.read(4096)
                return head.startswith(b"HTTP/1.1 200")
        return False


class Door:
    """The ports, and who has come to them."""

    def __init__(self, ports: Ports) -> None:
        self.ports, self.connections = ports, ports.connections
        self.callers: list[Caller] = []

    async def connect(self) -> Caller:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.ports.http))
        self.callers.append(caller)
        return caller

    async def full(self) -> list[Caller]:
        """All that one address may have."""
        callers = [await self.connect() for _ in range(MOST)]
        assert [await caller.comes_in() for caller in callers] == [True] * MOST
        return callers

    async def let_go(self, caller: Caller) -> None:
        before = len(self.connections)
        caller.writer.close()
        async with asyncio.timeout(20):
            while len(self.connections) == before:  # noqa: ASYNC110 - the other side of a socket
                await asyncio.sleep(0.005)


@asynccontextmanager
async def served(settings: Settings, own: tuple[Network, ...] = ()) -> AsyncIterator["Door"]:
    """The ports of a node where nobody is of this machine; a call of /hello makes a connection known."""

    async def hello(request: web.Request) -> web.Response:
        if request.path == "/hello":
            ports.connections.vouch(request)
        return web.Response(text="in")

    app = web.Application()
    app.router.add_get("/{path:.*}", hello)
    with bound(settings, own) as ports:
        async with listening(app, ports, None):
            door = Door(ports)
            yield door
            for caller in door.callers:
                caller.writer.transport.abort()
                with suppress(ConnectionError):
                    await caller.writer.wait_closed()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with served(told()) as found:
        yield found


async def test_one_too_many_is_closed_and_the_others_stay(door: Door) -> None:
    callers = await door.full()
    assert not await (await door.connect()).comes_in()
    assert door.connections.refused == 1
    assert all([await caller.comes_in() for caller in callers])
    await door.let_go(callers[0])
    assert await (await door.connect()).comes_in()


async def test_half_open_ones_count_too(door: Door) -> None:
    silent = [await door.connect() for _ in range(MOST)]
    assert not await (await door.connect()).comes_in()
    await door.let_go(silent[0])
    assert await (await door.connect()).comes_in()


async def test_whoever_said_hello_counts_no_more(door: Door) -> None:
    """Thousands of speakers behind one address of a carrier."""
    speakers: list[Caller] = []
    for _ in range(3 * MOST):
        speakers.append(await door.connect())
        assert await speakers[-1].comes_in("/hello")
    assert len(door.connections) == 0
    await door.full()
    for speaker in speakers:
        speaker.writer.close()
    assert not await (await door.connect()).comes_in(), "what left is not given back twice"


async def test_a_crowd_at_the_door_lets_others_in_at_once(door: Door) -> None:
    callers = await door.full()
    crowd = [await door.connect() for _ in range(2 * TURNED_AWAY_AT_ONCE)]
    assert await callers[0].comes_in()
    for one in crowd:
        assert not await one.comes_in()
    assert door.connections.refused == len(crowd)


@pytest.mark.parametrize("proxy", [True, False])
async def test_this_machine_and_the_proxies_may_have_what_they_want(proxy: bool) -> None:
    own = (ip_network("127.0.0.0/8"),)
    settings = told(trusted_proxies=list(own)) if proxy else told()
    async with served(settings, () if proxy else own) as door:
        for _ in range(3):
            await door.full()
        assert len(door.connections) == 0


def test_with_no_more_said_this_machine_is_exempt() -> None:
    with bound(told()) as ports:
        for number in range(MOST + 1):
            assert ports.connections.enter((("127.0.0.1", number), HERE))
            assert ports.connections.enter((("::ffff:127.0.0.1", number, 0, 0), HERE))
            assert ports.connections.enter((("::1", number, 0, 0), HERE))


async def test_with_tls_a_connection_counts_and_is_vouched_for_as_well(tmp_path: Path) -> None:
    made = ensure_certificate(tmp_path, ["localhost"], datetime.now(UTC))
    settings = load(
        host="127.0.0.1", http_port=0, https_port=0, certificate=made.certificate, certificate_key=made.key
    )
    counted = []

    async def hello(request: web.Request) -> web.Response:
        counted.append(len(ports.connections))
        ports.connections.vouch(request)
        counted.append(len(ports.connections))
        return web.Response()

    app = web.Application()
    app.router.add_get("/", hello)
    with bound(settings, ()) as ports, bound(settings, ()) as other:
        both = Ports(other.plain, ports.plain, ports.connections)
        async with (
            listening(app, both, Tls(settings, tmp_path)),
            aiohttp.ClientSession() as session,
            session.get(f"https://127.0.0.1:{both.https}/", ssl=False) as answer,
        ):
            assert answer.status == 200
    assert counted == [1, 0]


def test_addresses_are_counted_apart_and_a_site_of_ipv6_is_one() -> None:
    connections = Connections(1)
    assert connections.enter((("203.0.113.9", 1), HERE))
    assert not connections.enter((("::ffff:203.0.113.9", 2, 0, 0), HERE)), "the same, in other words"
    assert connections.enter((("203.0.113.10", 1), HERE))
    assert connections.enter((("2001:db8:1:2::9", 1, 0, 0), HERE))
    assert not connections.enter((("2001:db8:1:2::10", 1, 0, 0), HERE))
    connections.leave((("2001:db8:1:2::9", 1, 0, 0), HERE))
    connections.leave((("2001:db8:1:2::9", 1, 0, 0), HERE))
    assert connections.enter((("2001:db8:1:2::10", 1, 0, 0), HERE))
    assert not connections.enter((("2001:db8:1:2::11", 1, 0, 0), HERE))
