"""An encoder pushes to a running node, a loudspeaker sounds it, a player stays on its mount while another
encoder takes over; a microphone calls in by WebSocket."""

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator

import aiohttp
import av
import numpy as np
import pytest

from loa.codecs.frame import FRAME_SAMPLES

from .conftest import RATE, House, Sound, end, until

pytestmark = pytest.mark.peer

FIRST_HZ, SECOND_HZ, VOICE_HZ = 500, 1300, 2100


@contextlib.asynccontextmanager
async def encoder(house: House, made: dict[str, str], hz: int) -> AsyncIterator[None]:
    url = f"icecast://source:{made['password']}@127.0.0.1:{house.port}{made['path']}"
    process = await asyncio.create_subprocess_exec(
        "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", f"sine=frequency={hz}:sample_rate=48000",
        "-c:a", "libmp3lame", "-f", "mp3", url, stdout=DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        await end(process)


class Mount:
    """A player's connection, one for the whole test."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        decoder = av.CodecContext.create("mp3float", "r")
        assert isinstance(decoder, av.AudioCodecContext)
        self._decoder = decoder
        self.last: Sound = np.zeros(0)

    async def hears(self, hz: int) -> None:
        """Until this pitch is what half a second of the mount is made of."""
        async with asyncio.timeout(40):
            while not self._is(hz):
                data = await self._response.content.readany()
                assert data, "the mount has ended"
                for packet in self._decoder.parse(data):
                    for frame in self._decoder.decode(packet):
                        self.last = np.concatenate((self.last, frame.to_ndarray()[0]))[-RATE // 2 :]

    def _is(self, hz: int) -> bool:
        if len(self.last) < RATE // 2 or np.abs(self.last).max() < 0.01:
            return False
        spectrum = np.abs(np.fft.rfft(self.last * np.hanning(len(self.last))))
        return bool(abs(np.argmax(spectrum) * 2 - hz) <= 8)


async def test_an_encoder_airs_another_takes_over_and_nobody_is_disconnected(house: House) -> None:
    place = (await house.api("GET", "/places"))[0]["id"]
    speaker = await house.speaker(place, "cum")
    made = await house.api("POST", "/pushes", {"place": place, "name": "may-xa", "title": "Máy xã"})
    order = {"source": {"kind": "push", "push": made["id"]}, "targets": [place]}
    broadcast = (await house.api("POST", "/broadcasts", order))["id"]
    waiting = await house.api("GET", f"/broadcasts/{broadcast}")
    assert waiting["state"] == "waiting"
    async with house.api.http.get(f"{house.url}/listen/{place}.mp3") as response:
        mount = Mount(response)
        async with encoder(house, made, FIRST_HZ):
            await mount.hears(FIRST_HZ)
            shown = await house.api("GET", f"/pushes/{made['id']}")
            assert shown["source"]["sounding"]
            assert "mp3" in shown["source"]["codec"]
            async with encoder(house, made, SECOND_HZ):
                await mount.hears(SECOND_HZ)

        async def gone() -> bool:
            return (await house.api("GET", f"/pushes/{made['id']}"))["source"] is None

        await until(gone)
        async with encoder(house, made, FIRST_HZ):
            await mount.hears(FIRST_HZ)
    assert (await house.api("GET", f"/broadcasts/{broadcast}"))["state"] in ("live", "playing")
    reach = await house.api("GET", f"/broadcasts/{broadcast}/reach")
    assert reach["reached"] == 1
    heard = (await speaker.stop()).samples
    spectrum = np.abs(np.fft.rfft(heard))
    hz = np.fft.rfftfreq(len(heard), 1 / RATE)
    for pitch in (FIRST_HZ, SECOND_HZ):
        around = (hz > pitch - 20) & (hz < pitch + 20)
        assert spectrum[around].max() > 50 * np.median(spectrum)


async def test_a_microphone_by_websocket_goes_on_air_and_off(house: House) -> None:
    place = (await house.api("GET", "/places"))[0]["id"]
    order = {"source": {"kind": "microphone"}, "targets": [place]}
    started = await house.api("POST", "/broadcasts", order)
    wave = np.sin(np.arange(FRAME_SAMPLES * 50) * 2 * np.pi * VOICE_HZ / RATE) * 8000
    second = wave.astype("<i2").reshape(50, FRAME_SAMPLES)
    async with (
        house.api.http.get(f"{house.url}/listen/{place}.mp3") as response,
        house.api.http.ws_connect(f"{house.url}/api/v1/microphone/{started['program']}") as ws,
    ):
        await ws.send_json({"token": started["whip"]["token"], "codec": "pcm16"})
        assert await ws.receive_json() == {"ok": True}

        async def speak() -> None:
            loop = asyncio.get_running_loop()
            due = loop.time()
            while True:
                for packet in second:
                    await ws.send_bytes(packet.tobytes())
                    due += 0.02
                    await asyncio.sleep(max(0.0, due - loop.time()))

        speaking = asyncio.create_task(speak(), name="microphone")
        await Mount(response).hears(VOICE_HZ)
        speaking.cancel()
        await ws.close()

    async def ended() -> bool:
        return bool((await house.api("GET", f"/broadcasts/{started['id']}"))["state"] == "ended")

    await until(ended)
