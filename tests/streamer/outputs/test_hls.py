"""HLS over HTTP on a virtual clock: the same bytes for every place, over an emergency and back."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from loa.clock import VirtualClock
from loa.codecs.frame import FRAME_US, MP3_FRAME_US
from loa.codecs.mp3 import MP3_FRAME_BYTES, silence_frame, split_frames
from loa.streamer.broadcast import Overridden
from loa.streamer.outputs.hls import Hls
from loa.streamer.outputs.hls_tape import timestamp_tag
from loa.streamer.outputs.hls_track import SEGMENT_FRAMES, SILENCE

QUIET = silence_frame()
HERE, THERE = "00000000000000aa", "00000000000000bb"
TAG_BYTES = len(timestamp_tag(0))


class Program:
    """Frames that name themselves. A live one has the last 64, and only while somebody wants them."""

    def __init__(self, name: str, clock: VirtualClock, *, live: bool) -> None:
        self.id, self._clock, self._live = name * 16, clock, live
        self.wanted: list[bool] = []
        self.since = clock.now_us() // MP3_FRAME_US
        self.until = 1 << 62

    def opus(self, k: int) -> bytes | None:
        return None

    def mp3(self, j: int) -> bytes | None:
        now = self._clock.now_us() // MP3_FRAME_US
        if not self.since <= j < self.until or (self._live and (not self.wanted or not now - 64 <= j < now)):
            return None
        return QUIET[:4] + f"{self.id[0]}{j}".encode().ljust(MP3_FRAME_BYTES - 4, b"\0")

    def want_mp3(self, wanted: bool) -> None:
        self.wanted.append(wanted)


def names(data: bytes) -> list[str]:
    return ["-" if f == QUIET else f[4:].rstrip(b"\0").decode() for f in split_frames(data[TAG_BYTES:])]


@dataclass
class Air:
    playing: dict[str, Program | None] = field(default_factory=dict)

    def resolve(self, path: str) -> str | None:
        return {"tinh/xa": HERE}.get(path, path if path in (HERE, THERE) else None)

    def program_at(self, place_id: str) -> Program | None:
        return self.playing.get(place_id)

    def title_at(self, place_id: str) -> str:
        return ""

    def name_of(self, place_id: str) -> str:
        return ""


class Turns:
    """Lets the test say when time passes."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._due = asyncio.Condition()
        self.waiting = 0

    async def until(self, at_us: int) -> None:
        async with self._due:
            self.waiting += 1
            await self._due.wait_for(lambda: self._clock.now_us() >= at_us)
            self.waiting -= 1

    async def reached(self, hls: Hls) -> None:
        """Until the runner waits for time to pass, or rests."""
        for _ in iter(lambda: bool(self.waiting) or not hls.places, True):
            await asyncio.sleep(0)

    async def wake(self) -> None:
        async with self._due:
            self._due.notify_all()


class Site:
    def __init__(self, clock: VirtualClock, air: Air, hls: Hls, turns: Turns, client: "Client") -> None:
        self.clock, self.air, self.hls, self.turns, self.client = clock, air, hls, turns, client

    async def playlist(self, path: str = HERE) -> str:
        answer = await self.client.get(f"/hls/{path}/index.m3u8")
        assert answer.status == 200, await answer.text()
        return await answer.text()

    async def pieces(self, path: str = HERE) -> list[str]:
        return re.findall(r"(?m)^(/hls/segments/.*)$", await self.playlist(path))

    async def get(self, path: str) -> bytes:
        answer = await self.client.get(path)
        assert answer.status == 200, path
        return await answer.read()

    async def sound(self, path: str = HERE) -> list[str]:
        return [name for piece in await self.pieces(path) for name in names(await self.get(piece))]

    async def pass_s(self, seconds: float) -> None:
        end_us = self.clock.now_us() + round(seconds * 1e6)
        while self.clock.now_us() < end_us:
            await self.turns.reached(self.hls)
            self.clock.advance(min(FRAME_US, end_us - self.clock.now_us()))
            await self.turns.wake()
            for _ in range(5):
                await asyncio.sleep(0)

    async def switch(self, place: str, program: Program | None) -> None:
        """As `Air` does: from the next frame of the grid on."""
        self.air.playing[place] = program
        at_us = (self.clock.now_us() // FRAME_US + 1) * FRAME_US
        self.hls.on_air_event(Overridden([(0, 1)], None, None, at_us))
        await asyncio.sleep(0)


Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    clock, air = VirtualClock(), Air()
    turns = Turns(clock)
    hls = Hls(air, clock, pace=turns, max_places=2)
    app = web.Application()
    hls.add_routes(app.router)
    running = asyncio.create_task(hls.run())
    async with TestClient(TestServer(app)) as client:
        yield Site(clock, air, hls, turns, client)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_first_who_asks_gets_a_list_to_begin_with(site: Site) -> None:
    assert len(await site.pieces()) == 3
    assert set(await site.sound()) == {"-"}


async def test_a_recording_is_there_from_its_start(site: Site) -> None:
    program = site.air.playing[HERE] = Program("a", site.clock, live=False)
    await site.pass_s(3)
    sound = await site.sound()
    assert f"a{program.since}" in sound
    first = sound.index(f"a{program.since}")
    assert set(sound[:first]) == {"-"}
    assert sound[first:] == [f"a{program.since + n}" for n in range(len(sound) - first)]


async def test_a_live_program_is_encoded_while_somebody_listens(site: Site) -> None:
    program = site.air.playing[HERE] = Program("a", site.clock, live=True)
    assert program.wanted == []
    await site.pieces()
    assert program.wanted == [True]
    await site.pass_s(20)
    sound = await site.sound()
    assert sound == [f"a{int(sound[0][1:]) + n}" for n in range(len(sound))]
    await site.pass_s(61)
    assert (program.wanted, site.hls.places) == ([True, False], 0)


async def test_the_same_bytes_for_every_place_of_a_program(site: Site) -> None:
    site.air.playing[HERE] = site.air.playing[THERE] = Program("a", site.clock, live=True)
    await site.pieces(HERE)
    await site.pass_s(1)
    await site.pieces(THERE)
    before = site.hls.segments
    await site.pass_s(15)
    here, there = await site.pieces(HERE), await site.pieces(THERE)
    assert here == there
    assert site.hls.segments - before in (7, 8), "each was built once"


async def test_unbroken_over_an_emergency_and_back(site: Site) -> None:
    one = site.air.playing[HERE] = Program("a", site.clock, live=False)
    site.air.playing[THERE] = one
    both = [await site.pieces(HERE), await site.pieces(THERE)]
    assert both[0] == both[1]
    await site.pass_s(10)
    begun = site.clock.now_us() // FRAME_US + 1
    await site.switch(HERE, Program("e", site.clock, live=True))
    await site.pass_s(3)
    await site.switch(HERE, one)
    await site.pass_s(4)
    assert (await site.playlist()).count("#EXT-X-DISCONTINUITY\n") == 2
    sound = await site.sound()
    assert "-" not in sound
    numbers = [int(name[1:]) for name in sound]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "no frame twice, none left out"
    letters = "".join(name[0] for name in sound)
    assert re.fullmatch("a+e+a+", letters)
    assert 120 <= letters.count("e") <= 130
    assert sound[letters.index("e")] == f"e{-(-begun * FRAME_US // MP3_FRAME_US)}"
    assert "e" not in "".join(await site.sound(THERE))


async def test_a_segment_never_changes_and_stays_for_a_while(site: Site) -> None:
    site.air.playing[HERE] = Program("a", site.clock, live=True)
    await site.pieces()
    await site.pass_s(5)
    piece = (await site.pieces())[-1]
    data = await site.get(piece)
    await site.pass_s(12)
    assert piece not in await site.pieces() or await site.get(piece) == data
    await site.pass_s(10)
    assert await site.get(piece) == data
    await site.pieces()
    await site.pass_s(30)
    assert (await site.client.get(piece)).status == 404


async def test_what_caches_are_told(site: Site) -> None:
    answer = await site.client.get("/hls/tinh/xa/index.m3u8")
    assert answer.content_type == "application/vnd.apple.mpegurl"
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    piece = re.findall(r"(?m)^/.*$", await answer.text())[0]
    segment = await site.client.get(piece)
    assert segment.headers["Cache-Control"] == "public, max-age=3600, immutable"
    head = await site.client.head(piece)
    assert head.headers["Content-Length"] == str(len(await segment.read()))
    for missing in ("/hls/segments/" + "0" * 16 + "/1-84.mp3", "/hls/nowhere/index.m3u8"):
        answer = await site.client.get(missing)
        assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store")


async def test_no_more_places_than_there_is_room_for(site: Site) -> None:
    site.air.resolve = lambda path: path  # type: ignore[method-assign]
    assert [(await site.client.get(f"/hls/{n}/index.m3u8")).status for n in range(3)] == [200, 200, 503]
    assert site.hls.refused == 1


def test_the_tag_says_when_the_first_frame_begins() -> None:
    tag = timestamp_tag(1)
    assert tag[:5] == b"ID3\x04\0"
    assert len(tag) == 10 + int.from_bytes(tag[6:10], "big")
    assert tag[20:65] == b"com.apple.streaming.transportStreamTimestamp\0"
    assert int.from_bytes(tag[-8:], "big") == 2160
    far = 75_000_000_000
    assert int.from_bytes(timestamp_tag(far)[-8:], "big") == far * 2160 % 2**33
    assert SEGMENT_FRAMES * MP3_FRAME_US == 2_016_000
    assert SILENCE == "silence"
