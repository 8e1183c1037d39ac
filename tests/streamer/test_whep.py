"""WHEP over real sockets: aiortc listens, hears every switch without a gap, leaves, vanishes; and what is
refused.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
import pytest
from aiohttp import ClientResponse, ClientSession, web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from loa.clock import NodeClock
from loa.codecs.frame import FRAME_SAMPLES, SAMPLE_RATE
from loa.codecs.opus import OpusEncoder
from loa.streamer.outputs.whep import MAX_PER_ADDRESS, Whep
from loa.streamer.peers import Peers

SDP = "application/sdp"
PLACE = "a" * 16


@dataclass(frozen=True)
class Tone:
    """A program that has sounded since ever: every packet decodes to this tone."""

    id: str
    hz: int
    packets: tuple[bytes, ...]

    def opus(self, k: int) -> bytes | None:
        return self.packets[k % 50]


def tone(name: str, hz: int) -> Tone:
    encoder = OpusEncoder(tonal=True)
    wave = 8000 * np.sin(2 * np.pi * hz * np.arange(50 * FRAME_SAMPLES) / SAMPLE_RATE)
    frames = wave.astype(np.int16).reshape(50, FRAME_SAMPLES)
    return Tone(name, hz, tuple(encoder.encode(frame) for frame in frames))


LOW, HIGH = tone("1" * 16, 400), tone("2" * 16, 1200)


@dataclass
class Source:
    playing: Tone | None = LOW

    def resolve(self, path: str) -> str | None:
        return PLACE if path in (PLACE, "dong-thap/cao-lanh") else None

    def program_at(self, place_id: str) -> Tone | None:
        return self.playing


class Ear:
    """What a listener's track gives: how loud, and at which pitch."""

    def __init__(self, track: MediaStreamTrack) -> None:
        self.track = track
        self.hz = 0.0
        self.stamps: list[int] = []

    async def listen(self) -> None:
        while True:
            frame = await self.track.recv()
            pcm = frame.to_ndarray().reshape(-1, 2)[:, 0].astype(float)  # type: ignore[union-attr]
            self.stamps.append(frame.pts or 0)
            loud = float(np.sqrt(np.mean(pcm**2)))
            spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
            self.hz = float(np.argmax(spectrum)) * SAMPLE_RATE / len(pcm) if loud > 500 else 0.0

    def hears(self, hz: int) -> Callable[[], bool]:
        return lambda: abs(self.hz - hz) <= 50


@dataclass
class Site:
    url: str
    session: ClientSession
    whep: Whep
    peers: Peers
    source: Source
    calls: list[RTCPeerConnection] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def post(
        self, body: str | bytes, *, path: str = "dong-thap/cao-lanh", kind: str = SDP
    ) -> ClientResponse:
        url = f"{self.url}/whep/{path}"
        async with self.session.post(url, data=body, headers={"Content-Type": kind}) as response:
            await response.read()
            return response

    async def listen(self) -> tuple[RTCPeerConnection, str, Ear]:
        """As a WHEP client does; the call, the URL of its session, and what is heard."""
        call = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.calls.append(call)
        transceiver = call.addTransceiver("audio", direction="recvonly")
        await call.setLocalDescription(await call.createOffer())
        response = await self.post(call.localDescription.sdp)
        assert response.status == 201
        assert response.content_type == SDP
        await call.setRemoteDescription(RTCSessionDescription(await response.text(), "answer"))
        ear = Ear(transceiver.receiver.track)
        self.tasks.append(asyncio.create_task(quietly(ear)))
        return call, self.url + response.headers["Location"], ear


async def quietly(ear: Ear) -> None:
    """Until the track has ended."""
    with suppress(MediaStreamError):
        await ear.listen()


@asynccontextmanager
async def open_site(max_viewers: int = 128) -> AsyncIterator[Site]:
    async with ClientSession() as session, asyncio.TaskGroup() as tasks:
        clock, source = NodeClock(), Source()
        peers = Peers(clock)
        site = Site("", session, Whep(source, peers, clock, max_viewers=max_viewers), peers, source)
        app = web.Application()
        site.whep.add_routes(app.router)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        running = [tasks.create_task(peers.run()), tasks.create_task(site.whep.run())]
        await asyncio.sleep(0)
        try:
            yield site
        finally:
            for call in site.calls:
                await call.close()
            for task in [*site.tasks, *running]:
                task.cancel()
            await asyncio.gather(*site.tasks, return_exceptions=True)
            await runner.cleanup()
    assert len(peers) == len(site.whep) == 0


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with open_site() as site:
        yield site


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        for _ in iter(holds, True):
            await asyncio.sleep(0.02)


async def test_a_listener_hears_one_program_after_the_other_and_silence_between(site: Site) -> None:
    _, _, ear = await site.listen()
    await eventually(ear.hears(LOW.hz))
    site.source.playing = HIGH
    await eventually(ear.hears(HIGH.hz))
    site.source.playing = None
    await eventually(ear.hears(0))
    site.source.playing = LOW
    await eventually(ear.hears(LOW.hz))
    steps = np.diff(ear.stamps)
    assert set(steps.tolist()) == {FRAME_SAMPLES}, "one stream, without a hole, over every switch"
    assert site.whep.listeners_of(PLACE) == 1


async def test_all_who_listen_get_the_same(site: Site) -> None:
    ears = [(await site.listen())[2] for _ in range(3)]
    for ear in ears:
        await eventually(ear.hears(LOW.hz))
    assert site.whep.listeners_of(PLACE) == 3


async def test_a_listener_hangs_up(site: Site) -> None:
    call, session, ear = await site.listen()
    await eventually(ear.hears(LOW.hz))
    async with site.session.delete(session) as response:
        assert response.status == 200
    assert len(site.whep) == len(site.peers) == 0
    await eventually(lambda: call.connectionState == "closed")
    async with site.session.delete(session) as response:
        assert response.status == 404


async def test_a_listener_that_closes_has_left(site: Site) -> None:
    call, _, ear = await site.listen()
    await eventually(ear.hears(LOW.hz))
    await call.close()
    await eventually(lambda: len(site.whep) == 0)
    assert site.whep.counters.left == 1


async def offer(direction: str = "recvonly") -> str:
    call = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    call.addTransceiver("audio", direction=direction)
    await call.setLocalDescription(await call.createOffer())
    await call.close()
    return str(call.localDescription.sdp)


async def test_the_answer_says_what_will_be_sent(site: Site) -> None:
    response = await site.post(await offer())
    told = (await response.text()).splitlines()
    assert "a=sendonly" in told
    assert any(line.startswith("a=ssrc:") for line in told)
    assert response.headers["Location"].startswith(f"/whep/{PLACE}/")
    assert response.headers["Access-Control-Expose-Headers"] == "Location, ETag"


async def test_who_may_also_send_may_listen(site: Site) -> None:
    assert (await site.post(await offer("sendrecv"))).status == 201


@pytest.mark.parametrize(
    ("change", "status", "told"),
    [
        ({"path": "nowhere"}, 404, "no place 'nowhere'"),
        ({"kind": "application/json"}, 415, "expected application/sdp"),
        ({"body": "m=audio"}, 400, "expected v=0"),
        ({"body": b"\xff"}, 400, "not UTF-8"),
        ({"body": "v=0\r\n" * 20_000}, 413, "longer than 65536 bytes"),
    ],
)
async def test_what_will_not_do_is_told(site: Site, change: dict[str, str], status: int, told: str) -> None:
    response = await site.post(**({"body": await offer()} | change))
    assert response.status == status
    assert told in await response.text()
    assert len(site.peers) == 0


async def test_a_microphone_is_no_listener(site: Site) -> None:
    response = await site.post(await offer("sendonly"))
    assert response.status == 422
    assert "takes nothing, expected a=recvonly" in await response.text()


async def test_there_are_never_more_than_the_bounds() -> None:
    text = await offer()
    async with open_site(max_viewers=2) as site:
        assert [(await site.post(text)).status for _ in range(3)] == [201, 201, 503]
        assert site.whep.counters.refused == 1
    async with open_site() as site:
        statuses = [(await site.post(text)).status for _ in range(MAX_PER_ADDRESS + 1)]
        assert statuses == [201] * MAX_PER_ADDRESS + [429]


async def test_candidates_that_come_later_are_taken_note_of(site: Site) -> None:
    response = await site.post(text := await offer())
    session = site.url + response.headers["Location"]
    kind = {"Content-Type": "application/trickle-ice-sdpfrag"}
    ufrag = next(line for line in text.splitlines() if line.startswith("a=ice-ufrag:"))
    for body, status in ((ufrag, 204), ("a=ice-ufrag:restart\r\n", 422), (b"\xff", 400)):
        async with site.session.patch(session, data=body, headers=kind) as answer:
            assert answer.status == status
    guess = f"{site.url}/whep/{PLACE}/{'0' * 32}"
    async with site.session.patch(guess, data=b"", headers=kind) as answer:
        assert answer.status == 404
    async with site.session.options(f"{site.url}/whep/{PLACE}") as answer:
        assert answer.headers["Accept-Post"] == SDP
