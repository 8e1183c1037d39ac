"""Mounts over real sockets: what a player gets for what it asks."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from loa.clock import NodeClock, VirtualClock
from loa.codecs.aac import parse_adts, silence_adts
from loa.codecs.mp3 import MP3_FRAME_BYTES, silence_frame, split_frames
from loa.codecs.ogg import parse_pages
from loa.codecs.opus import silence_packet
from loa.streamer.mounts import Mounts
from loa.streamer.outputs.aac import MAX_PLACES

PLACE = "00000000000000aa"
MP3, OPUS = silence_frame()[:-1] + b"\x55", silence_packet()[:-1] + b"\x55"


class Program:
    id = "b" * 16

    def opus(self, k: int) -> bytes | None:
        return OPUS

    def mp3(self, k: int) -> bytes | None:
        return MP3

    def want_mp3(self, wanted: bool) -> None:
        pass


class Air:
    program: Program | None = Program()
    anywhere = False
    name = "Phường Cao Lãnh"

    def resolve(self, path: str) -> str | None:
        return PLACE if self.anywhere or path in (PLACE, "dong-thap/cao-lanh", "cũ/tên") else None

    def program_at(self, place_id: str) -> Program | None:
        return self.program

    def title_at(self, place_id: str) -> str:
        return "Dự báo thời tiết"

    def name_of(self, place_id: str) -> str:
        return self.name


class Everywhere(Air):
    """Where each path is a place of its own."""

    def resolve(self, path: str) -> str | None:
        return path


class Site:
    def __init__(self, mounts: Mounts, air: Air, port: int) -> None:
        self.mounts = mounts
        self.air = air
        self.port = port
        self.players: list[Player] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def open(self, path: str, *headers: str, method: str = "GET") -> "Player":
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"{method} {path} HTTP/1.1", "Host: loa", *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(re.findall(r"(?m)^([^:\r\n]+): (.*?)\r$", head))
        player = Player(reader, writer, int(head.split()[1]), {k.lower(): v for k, v in fields.items()})
        self.players.append(player)
        return player


class Player:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int, headers: dict[str, str]
    ) -> None:
        self.reader, self.writer, self.status, self.headers = reader, writer, status, headers

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@web.middleware
async def secured(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    address = request.headers.get("X-Test-Address")
    response = await handler(request.clone(remote=address) if address else request)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


class HurriedPace:
    """Lets a second of the stream pass in some 10 ms."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    async def until(self, at_us: int) -> None:
        await asyncio.sleep(0.001)
        self._clock.advance(max(0, at_us - self._clock.now_us()))


@asynccontextmanager
async def serving(mounts: Mounts, air: Air) -> AsyncIterator[Site]:
    app = web.Application(middlewares=[secured])
    mounts.add_routes(app.router)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(mounts.run())
        site = Site(mounts, air, runner.addresses[0][1])
        try:
            yield site
        finally:
            running.cancel()
            for player in site.players:
                await player.close()
    await eventually(lambda: mounts.listeners == 0)
    await runner.cleanup()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    air = Air()
    async with serving(Mounts(air, NodeClock(), max_listeners=3), air) as site:
        yield site


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        for _ in iter(holds, True):
            await asyncio.sleep(0.01)


async def test_mp3_is_an_endless_answer_of_bare_frames(site: Site) -> None:
    player = await site.open(f"/listen/{PLACE}.mp3")
    assert player.status == 200
    assert player.headers["content-type"] == "audio/mpeg"
    assert player.headers["cache-control"] == "no-store"
    assert player.headers["access-control-allow-origin"] == "*"
    assert player.headers["icy-br"] == "64"
    assert player.headers["connection"] == "close"
    assert "transfer-encoding" not in player.headers
    assert "icy-metaint" not in player.headers
    data = await player.reader.readexactly(24 * MP3_FRAME_BYTES)
    assert split_frames(data) == [MP3] * 24


async def test_opus_is_one_ogg_stream_whose_pages_follow_one_another(site: Site) -> None:
    player = await site.open("/listen/dong-thap/cao-lanh.opus")
    assert player.headers["content-type"] == "audio/ogg"
    data = b""
    while len(data) < 4000:
        data += await player.reader.read(4000)
    whole = data[: data.rindex(b"OggS")]
    pages = parse_pages(whole)
    assert [page.sequence for page in pages[:2]] == [0, 1]
    audio = pages[2:]
    assert [page.sequence - audio[0].sequence for page in audio] == list(range(len(audio)))
    assert all(page.packets == (OPUS,) * 5 for page in audio)


async def test_silence_where_nothing_is_on_air(site: Site) -> None:
    site.air.program = None
    player = await site.open(f"/listen/{PLACE}.mp3")
    data = await player.reader.readexactly(16 * MP3_FRAME_BYTES)
    assert split_frames(data) == [silence_frame()] * 16


async def test_titles_for_players_that_ask(site: Site) -> None:
    player = await site.open(f"/listen/{PLACE}.mp3", "Icy-MetaData: 1")
    assert player.headers["icy-metaint"] == "16000"
    other = await site.open(f"/listen/{PLACE}.opus", "Icy-MetaData: 1")
    assert "icy-metaint" not in other.headers


async def test_head_has_the_headers_and_no_listener(site: Site) -> None:
    player = await site.open(f"/listen/{PLACE}.mp3", "Connection: close", method="HEAD")
    assert (player.status, player.headers["content-type"]) == (200, "audio/mpeg")
    assert await player.reader.read() == b""
    assert site.mounts.listeners == 0


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere.mp3", "no place 'nowhere'"),
        (f"{PLACE}.flac", "expected a place followed by .mp3, .opus, .aac, .m3u or .pls"),
        (PLACE, "expected a place followed by .mp3, .opus, .aac, .m3u or .pls"),
        ("nowhere.m3u", "no place 'nowhere'"),
        (".mp3", "no place ''"),
    ],
)
async def test_what_is_not_there_is_said_to_be_so(site: Site, path: str, told: str) -> None:
    async with ClientSession() as session, session.get(site.url(f"/listen/{path}")) as response:
        assert response.status == 404
        assert told in await response.text()


async def test_a_page_of_another_origin_may_listen(site: Site) -> None:
    async with ClientSession() as session, session.options(site.url(f"/listen/{PLACE}.mp3")) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Icy-MetaData" in response.headers["Access-Control-Allow-Headers"]


async def test_what_middleware_adds_is_sent(site: Site) -> None:
    player = await site.open(f"/listen/{PLACE}.mp3")
    assert player.headers["x-content-type-options"] == "nosniff"


async def test_a_path_cannot_write_headers(site: Site) -> None:
    site.air.anywhere = True
    line = await site.open("/listen/a%0d%0aX-Evil:%20yes.mp3")
    assert (line.status, "x-evil" in line.headers) == (404, False)
    site.air.name = "a\x1b\r\nX-Evil: b"
    for method in ("GET", "HEAD"):
        named = await site.open(f"/listen/{PLACE}.mp3", method=method)
        assert (named.status, named.headers["icy-name"], "x-evil" in named.headers) == (
            200,
            "aX-Evil: b",
            False,
        )


async def test_beyond_the_bound_the_answer_is_503(site: Site) -> None:
    players = [await site.open(f"/listen/{PLACE}.mp3") for _ in range(4)]
    assert [player.status for player in players] == [200, 200, 200, 503]
    assert (site.mounts.listeners, site.mounts.refused) == (3, 1)


async def test_the_head_is_what_clients_of_icecast_read(site: Site) -> None:
    player = await site.open("/listen/dong-thap/cao-lanh.aac", "Range: bytes=0-")
    assert player.status == 200
    told = {name: player.headers[name] for name in player.headers if name.startswith(("icy-", "ice-"))}
    assert told == {
        "icy-name": "Phường Cao Lãnh",
        "icy-description": "Phường Cao Lãnh",
        "icy-genre": "Public information",
        "icy-pub": "0",
        "icy-br": "64",
        "ice-audio-info": "ice-samplerate=48000;ice-bitrate=64;ice-channels=1",
    }
    assert player.headers["content-type"] == "audio/aac"
    assert player.headers["accept-ranges"] == "none"


async def test_aac_is_an_endless_answer_of_adts_frames(site: Site) -> None:
    player = await site.open(f"/listen/{PLACE}.aac")
    header, data = parse_adts(await player.reader.readexactly(7)), b""
    assert (header.sample_rate_index, header.channels) == (3, 1)
    data = await player.reader.readexactly(header.frame_bytes - 7)
    for _ in range(40):
        head = await player.reader.readexactly(7)
        data = await player.reader.readexactly(parse_adts(head).frame_bytes - 7)
    assert head + data != silence_adts()


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("dong-thap/cao-lanh.m3u", "dong-thap/cao-lanh.mp3"),
        ("dong-thap/cao-lanh.aac.m3u", "dong-thap/cao-lanh.aac"),
        ("c%C5%A9/t%C3%AAn.opus.pls", "c%C5%A9/t%C3%AAn.opus"),
        (f"{PLACE}.pls", f"{PLACE}.mp3"),
    ],
)
async def test_playlists_lead_to_the_stream(site: Site, path: str, stream: str) -> None:
    async with ClientSession() as session:
        async with session.get(URL(site.url(f"/listen/{path}"), encoded=True)) as response:
            assert response.status == 200
            wanted = "audio/x-scpls" if path.endswith("pls") else "audio/x-mpegurl"
            assert response.content_type == wanted
            text = await response.text()
        assert "Phường Cao Lãnh" in text
        (url,) = re.findall(r"(?m)^(?:File1=)?(http.*)$", text)
        assert url == site.url(f"/listen/{stream}")
        async with session.head(URL(url, encoded=True)) as response:
            assert response.status == 200


async def test_one_address_takes_no_more_than_its_share() -> None:
    air = Air()
    async with serving(Mounts(air, NodeClock(), max_per_address=2), air) as site:
        here, there = "X-Test-Address: 203.0.113.7", "X-Test-Address: 2001:db8::7"
        crowd = [await site.open(f"/listen/{PLACE}.{suffix}", here) for suffix in ("mp3", "aac", "opus")]
        assert [player.status for player in crowd] == [200, 200, 503]
        assert (await site.open(f"/listen/{PLACE}.opus", there)).status == 200
        assert [(await site.open(f"/listen/{PLACE}.mp3")).status for _ in range(3)] == [200] * 3
        await crowd[0].close()
        await eventually(lambda: site.mounts.counters["mp3"].left == 1)
        assert (await site.open(f"/listen/{PLACE}.opus", here)).status == 200


async def test_aac_is_for_so_many_places_only() -> None:
    air = Everywhere()
    async with serving(Mounts(air, NodeClock()), air) as site:
        answers = [(await site.open(f"/listen/{n:016x}.aac")).status for n in range(MAX_PLACES + 1)]
        assert answers == [200] * MAX_PLACES + [503]
        assert (await site.open(f"/listen/{0:016x}.aac")).status == 200
        assert (await site.open(f"/listen/{MAX_PLACES:016x}.mp3")).status == 200


async def test_listeners_are_counted_and_forgotten(site: Site) -> None:
    here = await site.open(f"/listen/{PLACE}.mp3")
    there = await site.open("/listen/dong-thap/cao-lanh.opus")
    assert (site.mounts.listeners, site.mounts.listeners_of(PLACE)) == (2, 2)
    await here.close()
    await eventually(lambda: site.mounts.listeners == 1)
    assert site.mounts.counters["mp3"].left == 1
    await there.close()
    await eventually(lambda: site.mounts.listeners_of(PLACE) == 0)


async def test_at_the_end_every_answer_ends(site: Site) -> None:
    player = await site.open(f"/listen/{PLACE}.mp3")
    site.mounts.close()
    async with asyncio.timeout(5):
        await player.reader.read()


async def test_one_that_does_not_read_is_cut_off_and_the_others_play_on() -> None:
    air, clock = Air(), VirtualClock()
    async with serving(Mounts(air, clock, pace=HurriedPace(clock)), air) as site:
        good = await site.open(f"/listen/{PLACE}.mp3")
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            await asyncio.get_running_loop().sock_connect(slow, ("127.0.0.1", site.port))
            slow.send(f"GET /listen/{PLACE}.mp3 HTTP/1.1\r\nHost: loa\r\n\r\n".encode())
            frames = 0
            while not site.mounts.counters["mp3"].too_slow:
                await good.reader.readexactly(MP3_FRAME_BYTES)
                frames += 1
        assert frames * 0.024 < 15, "seconds of sound that were kept for it, the kernels' share included"
        assert site.mounts.listeners == 1
        assert split_frames(await good.reader.readexactly(8 * MP3_FRAME_BYTES)) == [MP3] * 8
        await good.close()
