"""A node with nothing but the control links, and the two kinds of clients that its tests need."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from loa.clock import VirtualClock
from loa.streamer.admission import Enrolled
from loa.streamer.links import Links
from loa.streamer.territory import Place, Territory
from loa.trust.keys import SigningKey
from loa.trust.statements import Placement, Statement, sign_statement
from loa.wire.control import (
    Challenge,
    Control,
    Hello,
    TimeAsk,
    TimeReply,
    Welcome,
    build_control,
    hello_bytes,
    parse_control,
)
from loa.wire.report import Report

NODE = "aa" * 8
CLOCK_ID = "cc" * 8
UPGRADE = (
    b"GET /speaker/link HTTP/1.1\r\nHost: loa\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def identity(number: int) -> str:
    return f"{number:016x}"


PROVINCE, NORTH, SOUTH = identity(1), identity(2), identity(3)
LINE = Territory(
    [
        Place(PROVINCE, None, "Tỉnh", "tinh", "province"),
        Place(NORTH, PROVINCE, "Bắc", "bac", "commune", 1),
        Place(SOUTH, PROVINCE, "Nam", "nam", "commune", 2),
    ]
)


class Events:
    def __init__(self) -> None:
        self.log: list[tuple[str, ...]] = []
        self.reports: list[Report] = []

    def linked(self, speaker_id: str) -> None:
        self.log.append(("linked", speaker_id))

    def unlinked(self, speaker_id: str) -> None:
        self.log.append(("unlinked", speaker_id))

    def via(self, speaker_id: str, transport: str) -> None:
        self.log.append(("via", speaker_id, transport))

    def reported(self, speaker_id: str, report: Report) -> None:
        self.log.append(("reported", speaker_id))
        self.reports.append(report)


class Node:
    """A server with nothing but the links, and its roster."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.key = SigningKey.generate()
        self.clock = VirtualClock()
        self.events = Events()
        self.speakers: dict[str, Enrolled] = {}
        self.on_air: dict[str, list[bytes]] = {}
        self.lists: dict[bytes, bytes] = {}
        self.grants = ["grant-of-the-root", "grant-of-the-node"]
        self.first_words: dict[str, list[bytes]] = {}
        self.known: list[asyncio.BaseTransport | None] = []
        self.keys: dict[str, SigningKey] = {}
        self.port = 0
        self.scheme = "http"
        self._stack = stack

    def find(self, speaker_id: str) -> Enrolled | None:
        return self.speakers.get(speaker_id)

    def enrol(self, number: int, place: str = NORTH) -> str:
        speaker = identity(number)
        key = self.keys.setdefault(speaker, SigningKey.generate())
        self.speakers[speaker] = Enrolled(
            speaker, f"Loa {number}", place, key.public, self.placement(number, place)
        )
        return speaker

    def placement(self, number: int, place: str) -> Statement:
        return sign_statement(Placement(identity(number), 1, LINE.ancestry(place), 500), self.key)

    async def start(
        self, *, hello_s: float = 30.0, most_waiting: int = 10_000, tls: ssl.SSLContext | None = None
    ) -> None:
        self.links = Links(
            clock=self.clock,
            node_key=lambda: self.key,
            node_id=NODE,
            grants=lambda: self.grants,
            after_welcome=lambda speaker, _place: self.first_words.get(speaker, []),
            clock_id=CLOCK_ID,
            roster=self,
            events=self.events,
            udp=lambda: [("", 7400), ("other.example", 7401)],
            greeting=lambda place: self.on_air.get(place, []),
            wanted=lambda want: [self.lists[want.hash]] if want.hash in self.lists else [],
            known=lambda request: self.known.append(request.transport),
            hello_s=hello_s,
            most_waiting=most_waiting,
        )
        self.links.retarget(LINE)
        app = web.Application()
        app.router.add_get("/speaker/link", self.links.handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        line = socket.create_server(("127.0.0.1", 0), backlog=2048)
        await web.SockSite(runner, line, backlog=2048, ssl_context=tls).start()
        self.port = line.getsockname()[1]
        self.scheme = "https" if tls else "http"
        task = asyncio.create_task(self.links.run(), name="links")
        self._stack.push_async_callback(ended, task)
        self._stack.push_async_callback(self.links.close)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/speaker/link"


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for happens behind a socket
            await asyncio.sleep(0.002)


class Speaker:
    """The other end, by aiohttp's client."""

    def __init__(self, node: Node, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._node = node
        self.ws = ws
        self.welcome: Welcome | None = None

    async def hello(
        self,
        number: int,
        *,
        key: SigningKey | None = None,
        nonce: bytes | None = None,
        node: str | None = None,
        versions: tuple[int, ...] = (1,),
    ) -> None:
        challenge = await self.hear()
        assert isinstance(challenge, Challenge)
        speaker = identity(number)
        signed = hello_bytes(nonce or challenge.nonce, node or challenge.node)
        signature = (key or self._node.keys[speaker]).sign(signed)
        await self.say(Hello(speaker, versions, signature, "test 1", "null"))

    async def link(self, number: int) -> "Speaker":
        await self.hello(number)
        welcome = await self.hear()
        assert isinstance(welcome, Welcome), welcome
        self.welcome = welcome
        return self

    async def say(self, message: Control) -> None:
        await self.ws.send_bytes(build_control(message))

    async def raw(self) -> bytes:
        async with asyncio.timeout(60):
            message = await self.ws.receive()
        assert message.type is WSMsgType.BINARY, message
        assert isinstance(message.data, bytes)
        return message.data

    async def hear(self) -> Control:
        return parse_control(await self.raw())

    async def end(self) -> tuple[list[Control], int | None]:
        """All that still comes, and the code of the close."""
        heard: list[Control] = []
        async with asyncio.timeout(60):
            while (message := await self.ws.receive()).type is WSMsgType.BINARY:
                heard.append(parse_control(message.data))
        return heard, self.ws.close_code

    async def nothing_came(self) -> None:
        """A question overtakes nothing of its own lane and below, so its answer is the next we hear."""
        await self.say(TimeAsk(7))
        answer = await self.hear()
        assert isinstance(answer, TimeReply), answer


class Idler:
    """The other end, by hand: a client that stops reading, or never says hello."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, node: Node) -> "Idler":
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", node.port))
        reader, writer = await asyncio.open_connection(sock=line, limit=2048)
        idler = cls(reader, writer)
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        return idler

    async def link(self, node: Node, number: int) -> None:
        challenge = parse_control(await self.frame())
        assert isinstance(challenge, Challenge)
        signature = node.keys[identity(number)].sign(hello_bytes(challenge.nonce, NODE))
        hello = build_control(Hello(identity(number), (1,), signature, "idler", "null"))
        self.writer.write(bytes((0x82, 0xFE)) + len(hello).to_bytes(2, "big") + bytes(4) + hello)
        assert isinstance(parse_control(await self.frame()), Welcome)

    async def frame(self) -> bytes:
        async with asyncio.timeout(60):
            head = await self.reader.readexactly(2)
            size = head[1]
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self.reader.readexactly(8), "big")
            return await self.reader.readexactly(size)

    async def gone(self) -> None:
        """Read until the other side is gone."""
        async with asyncio.timeout(60):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                return

    async def close(self) -> None:
        self.writer.transport.abort()
        await asyncio.sleep(0)


Connect = Callable[[], Awaitable[Speaker]]


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with AsyncExitStack() as stack:
        node = Node(stack)
        yield node
    assert node.links.count() == 0
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})


@pytest.fixture
async def connect(node: Node) -> AsyncIterator[Connect]:
    session = aiohttp.ClientSession()
    opened: list[aiohttp.ClientWebSocketResponse] = []

    async def one() -> Speaker:
        if not node.port:
            await node.start()
        opened.append(await session.ws_connect(node.url, max_msg_size=1 << 20, ssl=False))
        return Speaker(node, opened[-1])

    yield one
    for ws in opened:
        await ws.close()
    await session.close()


@pytest.fixture
def linked(node: Node, connect: Connect) -> Callable[..., Awaitable[Speaker]]:
    """Enrol a speaker and link it."""

    async def one(number: int, place: str = NORTH) -> Speaker:
        node.enrol(number, place)
        return await (await connect()).link(number)

    return one


@pytest.fixture
async def idle(node: Node) -> AsyncIterator[Callable[[], Awaitable[Idler]]]:
    """Connect a client that does nothing by itself."""
    idlers: list[Idler] = []

    async def one() -> Idler:
        if not node.port:
            await node.start()
        idlers.append(await Idler.connect(node))
        return idlers[-1]

    yield one
    for idler in idlers:
        await idler.close()


@pytest.fixture(name="until")
def until_fixture() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    return until
