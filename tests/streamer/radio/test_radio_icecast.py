"""Radios over a real Icecast that ffmpeg feeds: every codec, titles, a server that dies and comes back."""

import asyncio
import base64

import pytest

from loa.bench.icecast import PASSWORD, Icecast, tone
from loa.streamer.sources.radios import Radios

from .conftest import Ear

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("codec", ["mp3", "aac", "opus", "vorbis"])
async def test_every_codec_that_stations_send(radios: Radios, upstream: Icecast, codec: str) -> None:
    await upstream.source("live", *tone(440, codec))
    await upstream.heard("live")
    ear = Ear(radios, f"{upstream.base}/live")
    await ear.hears(440)
    await ear.goes_on(4)
    assert ear.silent_frames() < 10, "no gap"
    assert ear.feed.delay_samples < 48 * 120


async def test_a_server_that_is_killed_and_started_again_in_mid_relay(
    radios: Radios, upstream: Icecast
) -> None:
    await upstream.source("live", *tone(440))
    await upstream.heard("live")
    ear = Ear(radios, f"{upstream.base}/live")
    await ear.hears(440)
    await upstream.kill()
    await ear.hears_nothing()
    await ear.goes_on(3)
    state = radios.states["a" * 16]
    assert not state.sounding
    assert "expected" in state.addresses[0].error, "it says why"
    await upstream.start()
    await upstream.source("live", *tone(660))
    await ear.hears(660, within_s=25)
    assert not ear.feed.closed


async def test_a_broken_link_goes_to_the_standby_and_back(
    radios: Radios, upstream: Icecast, standby: Icecast
) -> None:
    await upstream.source("live", *tone(440))
    await standby.source("live", *tone(880))
    await upstream.heard("live")
    await standby.heard("live")
    ear = Ear(radios, f"{upstream.base}/live", f"{standby.base}/live")
    await ear.hears(440)
    await upstream.kill()
    assert await ear.hears(880, within_s=10) < 3.5
    await upstream.start()
    await upstream.source("live", *tone(440))
    await ear.goes_on(2)  # nobody read while the server started
    before = len(ear.frames)
    await ear.hears(440, within_s=60)
    ear.frames = ear.frames[before:]
    assert ear.silent_frames() < 50, "back without more than a short gap"


async def test_titles_are_passed_on(radios: Radios, upstream: Icecast) -> None:
    await upstream.source("live", *tone(440))
    await upstream.heard("live")
    ear = Ear(radios, f"{upstream.base}/live")
    await ear.hears(440)
    reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
    login = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    said = "/admin/metadata?mount=/live&mode=updinfo&charset=UTF-8&song=Th%E1%BB%9Di%20s%E1%BB%B1%20-%20VOV1"
    writer.write(f"GET {said} HTTP/1.0\r\nAuthorization: Basic {login}\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n")
    writer.close()
    await ear.listen(lambda heard: heard.feed.title == "Thời sự - VOV1", within_s=20)


async def test_what_an_address_is(radios: Radios, upstream: Icecast) -> None:
    await upstream.source("live", *tone(440, "aac"))
    await upstream.heard("live")
    found = await radios.find_out(f"{upstream.base}/live")
    assert found.sounding
    assert found.codec == "aac"
    nothing = await radios.find_out(f"{upstream.base}/none")
    assert not nothing.sounding
    assert "404" in nothing.addresses[0].error
