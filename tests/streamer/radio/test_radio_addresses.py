"""What an address may lead to: HLS as ffmpeg makes it, playlists, and what must be refused in words."""

import asyncio
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web

from loa.errors import LoaError
from loa.streamer.sources.radio_fetch import Fetcher, Tuned
from loa.streamer.sources.radio_reach import Network
from loa.streamer.sources.radios import Radios

from .conftest import LOOPBACK, Ear

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[dict[str, Handler]], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A test server; gives its base address."""
    runners: list[web.AppRunner] = []

    async def start(handlers: dict[str, Handler]) -> str:
        app = web.Application()
        for path, handler in handlers.items():
            app.router.add_get(path, handler)
        runner = web.AppRunner(app, shutdown_timeout=0)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


async def why_not(address: str, networks: Sequence[Network] = LOOPBACK) -> str:
    """What a fetcher says of an address that gives no sound."""
    async with Fetcher(networks) as fetcher:
        sound = fetcher.sound(address, Tuned())
        with pytest.raises(LoaError) as caught:
            await anext(sound)
        await sound.aclose()
    return str(caught.value)


def text(body: str, kind: str = "audio/x-mpegurl") -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=body.replace("BASE", str(request.url.origin())), content_type=kind)

    return answer


def to(place: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": place})

    return answer


async def test_redirects_for_ever_are_given_up(serve: Serve) -> None:
    assert "5 redirects" in await why_not(await serve({"/a": to("/b"), "/b": to("/a")}) + "/a")


async def test_a_playlist_that_points_to_itself_is_refused(serve: Serve) -> None:
    base = await serve({"/a.m3u": text("#EXTM3U\nBASE/a.m3u\n")})
    assert "points to itself" in await why_not(f"{base}/a.m3u")


async def test_playlists_that_lie_too_deep_are_refused(serve: Serve) -> None:
    lists = {f"/{n}.m3u": text(f"#EXTM3U\nBASE/{n + 1}.m3u\n") for n in range(9)}
    assert "deep" in await why_not(f"{await serve(lists)}/0.m3u")


@pytest.mark.parametrize("target", ["http://127.0.0.2:9/", "http://[::1]:9/", "file:///etc/passwd"])
async def test_no_redirect_or_playlist_leads_into_the_local_network(serve: Serve, target: str) -> None:
    base = await serve({"/go": to(target), "/list.m3u": text(f"#EXTM3U\n{target}\n")})
    only = (ip_network("127.0.0.1/32"),)
    assert "refused" in await why_not(f"{base}/go", only)
    assert "refused" in await why_not(f"{base}/list.m3u", only)


async def test_a_name_that_resolves_into_the_local_network_is_refused() -> None:
    said = await why_not("http://localhost:9/", ())
    assert "radio_private_networks" in said
    assert "canonical" in await why_not("http://127.1:9/", ()), "nor is one that is written in another way"


async def test_an_hls_segment_in_the_local_network_is_never_asked_for(serve: Serve) -> None:
    asked: list[str] = []

    async def secret(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=b"secret")

    inner = (await serve({"/x.ts": secret})).replace("127.0.0.1", "127.0.0.2")
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{inner}/x.ts\n" * 1
    base = await serve({"/live.m3u8": text(hls + "#EXT-X-ENDLIST\n")})
    assert await why_not(f"{base}/live.m3u8", (ip_network("127.0.0.1/32"),))
    assert asked == []


async def test_a_page_of_text_is_no_radio(radios: Radios, serve: Serve) -> None:
    base = await serve({"/": text("<html>" + "nothing to hear " * 2000, "text/html")})
    found = await radios.find_out(f"{base}/")
    assert not found.sounding
    assert found.addresses[0].error


@pytest.mark.peer
@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
async def test_hls_as_ffmpeg_makes_it(radios: Radios, serve: Serve, tmp_path: Path, kind: str) -> None:
    words = (
        "ffmpeg -v error -re -f lavfi -i sine=660:r=48000 -af volume=2 -c:a aac -b:a 96k -f hls -hls_time 2 "
    )
    words += f"-hls_list_size 5 -hls_flags delete_segments -hls_segment_type {kind} {tmp_path}/live.m3u8"
    source = await asyncio.create_subprocess_exec(*words.split(), stdin=DEVNULL)

    async def file(request: web.Request) -> web.StreamResponse:
        path = tmp_path / request.match_info["name"]
        return web.FileResponse(path) if path.exists() else web.Response(status=404)

    try:
        base = await serve({"/{name}": file})
        async with asyncio.timeout(20):
            while True:
                if await asyncio.to_thread((tmp_path / "live.m3u8").exists):
                    break
                await asyncio.sleep(0.2)
        ear = Ear(radios, f"{base}/live.m3u8")
        await ear.hears(660, within_s=25)
        await ear.goes_on(12)
        assert ear.silent_frames() < len(ear.frames) / 20, "no gap between segments, but for a busy machine"
        assert radios.states["a" * 16].kind == "HLS"
    finally:
        with suppress(ProcessLookupError):
            source.kill()
        await source.wait()
