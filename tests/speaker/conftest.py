"""A territory with its keys, a core on virtual time, and a node that speaks the real protocol on loopback."""

import asyncio
import base64
import contextlib
import itertools
import random
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from loa.clock import NodeClock
from loa.codecs.frame import FRAME_SAMPLES, FRAME_US, SAMPLE_RATE, Pcm
from loa.codecs.opus import OpusDecoder, OpusEncoder
from loa.speaker.checks import Checks
from loa.speaker.core import Core, Effect, Keep, Say, Send
from loa.speaker.mandate import Mandate
from loa.speaker.player import Player
from loa.speaker.playout import Playout
from loa.speaker.state import Identity, Memory
from loa.trust.enrol import make_code, parse_code
from loa.trust.grants import Grant, Role, issue
from loa.trust.keys import SigningKey, VerifyKey
from loa.trust.statements import (
    Placement,
    PriorityOrder,
    Profile,
    Statement,
    VolumeOrder,
    build_statement,
    sign_statement,
    time_reply_bytes,
)
from loa.wire.control import (
    Bye,
    Challenge,
    Control,
    Hello,
    TimeAsk,
    TimeReply,
    Via,
    Want,
    Welcome,
    build_control,
    hello_bytes,
    parse_control,
)
from loa.wire.cookie import check_cookie, make_cookie
from loa.wire.datagram import (
    Attached,
    Audio,
    AudioPart,
    Confirm,
    Cookie,
    End,
    EndReason,
    Probe,
    Start,
    StartFlags,
    build_attach,
    build_audio,
    build_end,
    build_start,
    parse_datagram,
)
from loa.wire.rank import BroadcastClass
from loa.wire.report import Report, Transport

NATION, PROVINCE, COMMUNE, ZONE = (number.to_bytes(8, "big").hex() for number in (1, 2, 3, 4))
ELSEWHERE = (99).to_bytes(8, "big").hex()
ANCESTRY = (NATION, PROVINCE, COMMUNE, ZONE)
SPEAKER = (7).to_bytes(8, "big").hex()
BEGINS_US = 1_800_000_000_000_000
YEAR_US = 365 * 86_400 * 1_000_000
RIGHTS = frozenset({"air", "drill", "place", "time", "volume"})


@dataclass
class Session:
    """A key that may sign programs, and the grant that says so."""

    key: SigningKey
    grant: str


@dataclass
class World:
    """Root, an authority over the nation, and a node under it."""

    root: SigningKey = field(default_factory=SigningKey.generate)
    authority: SigningKey = field(default_factory=SigningKey.generate)
    node: SigningKey = field(default_factory=SigningKey.generate)
    at_us: int = BEGINS_US
    places: tuple[str, ...] = (NATION,)

    def grant(self, issuer: SigningKey, subject: VerifyKey, role: Role, **changes: Any) -> str:
        fields: dict[str, Any] = {
            "max_class": 3,
            "level": 15,
            "places": self.places,
            "not_before_us": self.at_us - YEAR_US,
            "expires_us": self.at_us + YEAR_US,
            "serial": 1,
            "rights": RIGHTS,
        }
        return issue(Grant(issuer.public.key_id, subject, role, **(fields | changes)), issuer)

    def chain(self, **changes: Any) -> tuple[str, ...]:
        """The upper links: authority, node. `changes` are the node's."""
        return (
            self.grant(self.root, self.authority.public, Role.AUTHORITY),
            self.grant(self.authority, self.node.public, Role.NODE, **changes),
        )

    def session(self, issuer: SigningKey | None = None, **changes: Any) -> Session:
        key = SigningKey.generate()
        given = {
            "expires_us": self.at_us + 3600_000_000,
            "rights": frozenset({"air"}),
            "not_before_us": self.at_us - 60_000_000,
        }
        return Session(key, self.grant(issuer or self.node, key.public, Role.SESSION, **(given | changes)))

    def placement(self, latency_ms: int = 200, version: int = 1, **changes: Any) -> Statement:
        placed = replace(Placement(SPEAKER, version, ANCESTRY, latency_ms, Profile.WAN), **changes)
        return sign_statement(placed, self.node)

    def volume(self, volume_db: float, floor_db: float = -6.0, **changes: Any) -> Statement:
        ordered = VolumeOrder(SPEAKER, 1, volume_db, floor_db, muted=False)
        return sign_statement(replace(ordered, **changes), self.node)

    def order(self, place: str, broadcasts: tuple[str, ...], version: int = 1) -> Statement:
        return sign_statement(PriorityOrder(place, version, broadcasts), self.node)

    def memory(self, latency_ms: int = 200, **changes: Any) -> Memory:
        return replace(Memory(chain=self.chain(), placement=self.placement(latency_ms)), **changes)

    def identity(self, node: str = "", link: str = "/speaker/link") -> Identity:
        return Identity(SPEAKER, "", SigningKey.generate(), (self.root.public,), node, link)

    def time_reply(self, t1: int, t2: int, t3: int, clock_id: str = "cc" * 8) -> TimeReply:
        signature = self.node.sign(time_reply_bytes(t1, t2, t3, clock_id))
        return TimeReply(t1, t2, t3, clock_id, signature, self.node.public.key_id)

    def program(self, session: Session | None = None, **changes: Any) -> "Sender":
        return Sender(self, session or self.session(), **changes)


class Sender:
    """One broadcast of one program, as a node makes its datagrams: three starts, then audio."""

    def __init__(
        self,
        world: World,
        session: Session,
        *,
        cls: BroadcastClass = BroadcastClass.ORDINARY,
        detail: int = 0,
        level: int = 0,
        targets: tuple[str, ...] | bytes = (COMMUNE,),
        at_us: int | None = None,
        lasts_us: int = 600_000_000,
        flags: StartFlags = StartFlags.NONE,
        hertz: float = 440.0,
        packing: int = 3,
    ) -> None:
        self.session = session
        begins_us = world.at_us if at_us is None else at_us
        self.broadcast, self.program = secrets.token_hex(8), session.key.public.key_id
        self.packing = packing
        self.sequence = 0
        self.k = -(-begins_us // FRAME_US)
        self.first_k = self.k
        self._encoder, self._hertz = OpusEncoder(), hertz
        self.packets: dict[int, bytes] = {}
        self.start = Start(
            self.broadcast,
            self.program,
            cls,
            detail,
            level,
            flags,
            begins_us,
            begins_us + lasts_us,
            targets,
            session.grant,
            AudioPart(0, self.k * FRAME_US, ()),
        )

    def tone(self, k: int) -> Pcm:
        """What goes into frame `k`: a steady tone on the grid; at 0 Hz a sweep that repeats each second."""
        at = np.arange(k * FRAME_SAMPLES, (k + 1) * FRAME_SAMPLES) % (SAMPLE_RATE * 10)
        if self._hertz == 0:
            sweep = at % SAMPLE_RATE / SAMPLE_RATE
            return np.asarray(8000 * np.sin(2 * np.pi * (300 * sweep + 900 * sweep**2)), dtype=np.int16)
        return np.asarray(8000 * np.sin(2 * np.pi * self._hertz * at / SAMPLE_RATE), dtype=np.int16)

    def next_part(self) -> AudioPart:
        frames = []
        for k in range(self.k, self.k + self.packing):
            frames.append(self._encoder.encode(self.tone(k)))
            self.packets[k] = frames[-1]
        part = AudioPart(self.sequence, self.k * FRAME_US, tuple(frames))
        self.sequence, self.k = self.sequence + 1, self.k + self.packing
        return part

    def start_datagram(self, part: AudioPart | None = None, **changes: Any) -> bytes:
        """A start with this audio, or the next."""
        start = replace(self.start, audio=self.next_part() if part is None else part, **changes)
        return build_start(start, self.session.key.sign)

    def greeting(self) -> bytes:
        """A start without audio, as a node sends over the link."""
        return self.start_datagram(AudioPart(self.sequence, self.k * FRAME_US, ()))

    def audio_datagram(self, part: AudioPart | None = None) -> bytes:
        return build_audio(Audio(self.program, part or self.next_part()), self.session.key.sign)

    def next_datagram(self) -> bytes:
        return self.start_datagram() if self.sequence < 3 else self.audio_datagram()

    def end_datagram(self, at_us: int | None = None, reason: EndReason = EndReason.STOPPED) -> bytes:
        at = self.k * FRAME_US if at_us is None else at_us
        return build_end(
            End(self.broadcast, self.program, max(0, self.sequence - 1), at, reason), self.session.key.sign
        )


class Tape:
    """An output that keeps every frame with its time."""

    wants_sound = True
    lead_us = 0
    broken = False
    error_us = 0

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self.frames: list[tuple[int, Pcm]] = []
        self.latest_us = -1_000_000
        """How late the latest frame was handed over."""

    def play(self, frame: Pcm, at_us: int) -> None:
        self.frames.append((at_us, frame))
        self.latest_us = max(self.latest_us, self._now_us() - at_us)

    def idle(self, now_us: int) -> None: ...

    def close(self) -> None: ...

    def loud_us(self, above: float = 300.0) -> list[int]:
        """The times of the frames that are not silent."""
        return [at for at, frame in self.frames if float(np.abs(frame).max(initial=0)) > above]


class Rig:
    """A core on virtual time with a tape, driven by datagrams and the clock."""

    def __init__(self, world: World, latency_ms: int = 200, memory: Memory | None = None) -> None:
        self.world, self.now_us = world, world.at_us
        self.offset_us = world.at_us - 1_000_000
        self.tape = Tape(lambda: self.now_us)
        self.said: list[Control] = []
        self.sent: list[Send] = []
        self.stored: list[Memory] = []
        self.slow_disk = False
        self.pending: list[str] = []
        self.wire: list[tuple[int, int, bytes]] = []
        self.numbers = itertools.count()
        uniform = random.Random(1).uniform
        numbers = itertools.count(1)
        self.core = Core(
            Mandate(SPEAKER, (world.root.public,)),
            memory or world.memory(latency_ms),
            Checks(),
            uniform=uniform,
            number=lambda: next(numbers),
            born_us=self.local_us,
        )
        self.player = Player(OpusDecoder, self._garbage)
        self.playout = Playout(self.core, self.tape, self.player)

    @property
    def local_us(self) -> int:
        return self.now_us - self.offset_us

    def _garbage(self, error: Exception) -> None:
        self.core.counters.add("garbage")

    def fix(self) -> "Rig":
        """Give it the network's time."""
        self.core.sync.linked(self.local_us)
        while self.core.now_us(self.local_us) is None:
            for effect in self.core.tick(self.local_us):
                if isinstance(effect, Say) and isinstance(effect.message, TimeAsk):
                    reply = self.world.time_reply(effect.message.t1, self.now_us, self.now_us)
                    self.carry_out(self.core.control(reply, self.local_us))
            self.now_us += 10_000
        return self

    def carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Say(message):
                    self.said.append(message)
                case Send():
                    self.sent.append(effect)
                case Keep(broadcast):
                    self.stored.append(self.core.memory())
                    if broadcast is not None:
                        self.pending.append(broadcast)
        if not self.slow_disk:
            self.sync_disk()

    def sync_disk(self) -> None:
        if self.stored and (effects := self.core.stored(self.stored[-1], self.local_us)):
            self.carry_out(effects)
        for broadcast in self.pending:
            self.core.kept(broadcast, self.local_us)
        self.pending.clear()

    def hear(self, data: bytes, via: Transport = Transport.UDP) -> None:
        self.carry_out(self.core.datagram(data, via, self.local_us))

    def order(self, message: Control) -> None:
        self.carry_out(self.core.control(message, self.local_us))

    def run_to(self, now_us: int) -> None:
        """Let time pass and slots sound."""
        while self.now_us < now_us:
            self.now_us = min(now_us, self.now_us + 5_000)
            self.playout.step(self.now_us)

    def run(self, seconds: float) -> None:
        self.run_to(self.now_us + int(seconds * 1_000_000))

    def play(
        self,
        senders: Sequence[Sender],
        until_us: int,
        *,
        transit: Callable[[bytes], Sequence[int]] = lambda _: (20_000,),
    ) -> None:
        """Each sender's datagrams when they are due, every copy after its own time on the way."""
        wire, number = self.wire, self.numbers
        while self.now_us < until_us:
            for sender in senders:
                while (sender.k + sender.packing) * FRAME_US <= self.now_us:
                    data = sender.next_datagram()
                    wire += [(self.now_us + us, next(number), data) for us in transit(data)]
            wire.sort()
            while wire and wire[0][0] <= self.now_us:
                self.hear(wire.pop(0)[2])
            self.run_to(self.now_us + 5_000)

    def count(self, name: str) -> int:
        return self.core.counters[name]


class FakeNode:
    """Enrolment, control link and UDP port of a node, as docs/protocol.md has them, on loopback."""

    def __init__(self, world: World, clock: NodeClock) -> None:
        self.world, self.clock = world, clock
        self.code = make_code(world.root.public)
        self.latency_ms = 200
        self.udp_blocked = False
        self.silent = False
        self.bye: Bye | None = None
        self.keys: dict[str, VerifyKey] = {}
        self.links: dict[str, web.WebSocketResponse] = {}
        self.tokens: dict[bytes, str] = {}
        self.addresses: dict[str, tuple[str, int]] = {}
        self.via: dict[str, Transport] = {}
        self.turns: list[tuple[str, Transport, str]] = []
        self.reports: list[tuple[str, Report]] = []
        self.wants: list[Want] = []
        self.enrolled = 0
        self.hellos = 0
        self.asked = 0
        self._writers: dict[str, asyncio.Queue[bytes]] = {}
        self._secret = secrets.token_bytes(32)
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._socket.bind(("::", 0))
        self._socket.setblocking(False)
        app = web.Application()
        app.router.add_post("/enrol", self._enrol)
        app.router.add_get("/speaker/link", self._link)
        self._server = TestServer(app)

    async def start(self) -> None:
        await self._server.start_server()
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    def enrol(self, speaker: str) -> tuple[Identity, Memory]:
        """Without the ceremony: for simulations."""
        key = SigningKey.generate()
        self.keys[speaker] = key.public
        placement = self.world.placement(self.latency_ms, speaker=speaker)
        identity = Identity(speaker, "", key, (self.world.root.public,), self.url, "/speaker/link")
        return identity, Memory(chain=self.world.chain(), placement=placement)

    # --- sending

    def send(self, data: bytes) -> None:
        """To every speaker, each by its own way."""
        for speaker in tuple(self.links):
            if self.via[speaker] is Transport.UDP and not self.udp_blocked:
                self._socket.sendto(data, self.addresses[speaker])
            else:
                self.send_link(speaker, data)

    def send_link(self, speaker: str, data: bytes) -> None:
        transport = self._writers.get(speaker)
        if transport is not None:
            transport.put_nowait(data)

    def control(self, message: Control) -> None:
        for speaker in tuple(self.links):
            self.send_link(speaker, build_control(message))

    async def air(self, sender: Sender, seconds: float) -> None:
        """In real time; the first start goes over the links as well."""
        if sender.sequence == 0:
            for speaker in tuple(self.links):
                self.send_link(speaker, sender.greeting())
        until_us = self.clock.now_us() + int(seconds * 1_000_000)
        while self.clock.now_us() < until_us:
            while (sender.k + sender.packing) * FRAME_US <= self.clock.now_us():
                self.send(sender.next_datagram() if sender.sequence % 8 else sender.start_datagram())
            await asyncio.sleep(0.01)

    async def drop_links(self) -> None:
        for ws in tuple(self.links.values()):
            await ws.close()

    # --- the routes

    async def _enrol(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if bytes.fromhex(asked["secret"]) != parse_code(self.code).secret:
            return web.json_response({"what": "unknown code"}, status=404)
        self.enrolled += 1
        self.keys[SPEAKER] = VerifyKey(bytes.fromhex(asked["public_key"]))
        return web.json_response(
            {
                "speaker": SPEAKER,
                "roots": [self.world.root.public.raw.hex()],
                "chain": list(self.world.chain()),
                "placement": base64.b64encode(
                    build_statement(self.world.placement(self.latency_ms))
                ).decode(),
                "link": "/speaker/link",
            }
        )

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        node = secrets.token_hex(8)
        challenge = Challenge(secrets.token_bytes(32), node)
        await ws.send_bytes(build_control(challenge))
        hello = parse_control(await ws.receive_bytes())
        assert isinstance(hello, Hello)
        assert self.keys[hello.speaker].verify(hello.signature, hello_bytes(challenge.nonce, node))
        self.hellos += 1
        if self.bye:
            await ws.send_bytes(build_control(self.bye))
            await ws.close()
            return ws
        await self._welcome(ws, hello.speaker)
        writer = asyncio.create_task(self._write(ws, self._writers[hello.speaker]))
        try:
            async for message in ws:
                if message.type is WSMsgType.BINARY:
                    await self._hear(ws, hello.speaker, parse_control(message.data))
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            if self.links.get(hello.speaker) is ws:
                del self.links[hello.speaker]
        return ws

    async def _write(self, ws: web.WebSocketResponse, queue: "asyncio.Queue[bytes]") -> None:
        while True:
            await ws.send_bytes(await queue.get())

    async def _welcome(self, ws: web.WebSocketResponse, speaker: str) -> None:
        token = secrets.token_bytes(16)
        self.tokens[token] = speaker
        self.via[speaker] = Transport.WS
        udp = (("", self._socket.getsockname()[1]),)
        placement = self.world.placement(self.latency_ms, speaker=speaker)
        welcome = Welcome(1, placement, self.world.chain(), udp, token, "cc" * 8, 1)
        self._writers[speaker] = asyncio.Queue()
        await ws.send_bytes(build_control(welcome))
        self.links[speaker] = ws

    async def _hear(self, ws: web.WebSocketResponse, speaker: str, message: Control) -> None:
        match message:
            case TimeAsk(t1) if not self.silent:
                self.asked += 1
                at_us = self.clock.now_us()
                await ws.send_bytes(build_control(self.world.time_reply(t1, at_us, at_us)))
            case Via(transport, why):
                self.via[speaker] = transport
                self.turns.append((speaker, transport, why))
            case Report():
                self.reports.append((speaker, message))
            case Want():
                self.wants.append(message)

    def _readable(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, source = self._socket.recvfrom(2048)
                if not self.udp_blocked:
                    self._attach(data, source[:2])

    def _attach(self, data: bytes, address: tuple[str, int]) -> None:
        now_us = self.clock.now_us()
        match parse_datagram(data).message:
            case Probe(token) if token in self.tokens:
                cookie = make_cookie(self._secret, address, token, now_us)
                self._socket.sendto(build_attach(Cookie(cookie)), address)
            case Confirm(token, cookie) if check_cookie(self._secret, address, token, cookie, now_us):
                self.addresses[self.tokens[token]] = address
                self._socket.sendto(build_attach(Attached(cookie)), address)


async def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait for something to become true; how long it takes decides nothing but failure."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - what is waited for is elsewhere and knows nothing of us
            await asyncio.sleep(0.01)


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    return until


@pytest.fixture
async def node() -> AsyncIterator[FakeNode]:
    clock = NodeClock()
    made = FakeNode(World(at_us=clock.now_us()), clock)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def speakers() -> AsyncIterator[Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]]:
    """Runs agents; ends them after the test and sees to it that they leave no task behind."""
    before = asyncio.all_tasks()
    running: list[asyncio.Task[None]] = []

    def run(work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        running.append(asyncio.create_task(work))
        return running[-1]

    yield run
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    left = {task.get_name() for task in asyncio.all_tasks() - before if task.get_name().startswith("speaker")}
    assert not left


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def rig(world: World) -> Iterator[Rig]:
    made = Rig(world).fix()
    yield made
    made.player.close()


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(world: World, **changes: Any) -> Rig:
        made.append(Rig(world, **changes))
        return made[-1]

    yield make
    for rig in made:
        rig.player.close()
