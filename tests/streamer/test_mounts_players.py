"""Real players at the mounts: they start at once, and a switch of programs is heard without a reconnect."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from aiohttp import web
from playwright.async_api import async_playwright

from loa.clock import NodeClock
from loa.codecs.frame import FRAME_SAMPLES, MP3_FRAME_SAMPLES, SAMPLE_RATE, Pcm
from loa.codecs.mp3 import Mp3Encoder
from loa.codecs.opus import OpusEncoder
from loa.streamer.mounts import Mounts

pytestmark = pytest.mark.peer

LOW_HZ, HIGH_HZ = 500, 1000
"""Whole periods in every frame of either codec, so a loop of packets is one unbroken tone."""


class Tone:
    def __init__(self, name: str, hz: int) -> None:
        self.id = name * 16
        self._opus = self._encode(OpusEncoder(tonal=True).encode, FRAME_SAMPLES, hz)
        self._mp3 = self._encode(Mp3Encoder().encode, MP3_FRAME_SAMPLES, hz)

    @staticmethod
    def _encode(encode: Callable[[Pcm], bytes], samples: int, hz: int) -> list[bytes]:
        wave = 8000 * np.sin(2 * np.pi * hz * np.arange(samples) / SAMPLE_RATE)
        return [encode(wave.astype(np.int16)) for _ in range(50)][10:]

    def opus(self, k: int) -> bytes | None:
        return self._opus[k % len(self._opus)]

    def mp3(self, k: int) -> bytes | None:
        return self._mp3[k % len(self._mp3)]

    def want_mp3(self, wanted: bool) -> None:
        pass


class Air:
    def __init__(self) -> None:
        self.low, self.high = Tone("a", LOW_HZ), Tone("b", HIGH_HZ)
        self.program: Tone | None = self.low

    def resolve(self, path: str) -> str | None:
        return "00000000000000aa"

    def program_at(self, place_id: str) -> Tone | None:
        return self.program

    def title_at(self, place_id: str) -> str:
        return "Bản tin sáng"

    def name_of(self, place_id: str) -> str:
        return "Cao Lãnh"


class Site:
    def __init__(self, air: Air, mounts: Mounts, url: str) -> None:
        self.air, self.mounts, self.url = air, mounts, url

    async def switch_in_the_middle(self) -> None:
        """The other program after 1.5 s of listening, and 1.5 s of it."""
        await asyncio.sleep(1.5)
        self.air.program = self.air.high
        await asyncio.sleep(1.5)

    @property
    def joined(self) -> int:
        return sum(counters.joined for counters in self.mounts.counters.values())


PAGE = """<!doctype html><audio id=a></audio><script>
const a = document.getElementById('a'); window.seen = [];
for (const e of ['error', 'ended', 'stalled', 'emptied']) a.addEventListener(e, () => seen.push(e));
async function play(source) {
  a.src = source; await a.play();
  const context = new AudioContext(), meter = context.createAnalyser(); meter.fftSize = 8192;
  context.createMediaElementSource(a).connect(meter);
  window.loudest = () => { const d = new Uint8Array(meter.frequencyBinCount); meter.getByteFrequencyData(d);
    return d.indexOf(Math.max(...d)) * context.sampleRate / meter.fftSize; };
}
</script>"""


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    air = Air()
    mounts = Mounts(air, NodeClock())
    app = web.Application()
    mounts.add_routes(app.router)

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(mounts.run())
        yield Site(air, mounts, f"http://127.0.0.1:{runner.addresses[0][1]}")
        running.cancel()
    async with asyncio.timeout(10):
        for _ in iter(lambda: mounts.listeners, 0):
            await asyncio.sleep(0.02)
    await runner.cleanup()


def pitch(pcm: Pcm) -> float:
    spectrum = np.abs(np.fft.rfft(pcm.astype(np.float64)))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / len(pcm)


async def record(site: Site, *command: str) -> Pcm:
    """What a player gives on its standard output (int16 mono 48 kHz), the programs switched meanwhile."""
    player = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    reading = asyncio.create_task(player.communicate())
    async with asyncio.timeout(20):
        for _ in iter(lambda: site.mounts.listeners, 1):
            await asyncio.sleep(0.02)
    await site.switch_in_the_middle()
    site.mounts.close()
    async with asyncio.timeout(20):
        output, _ = await reading
    return np.frombuffer(output, np.int16)


@pytest.mark.parametrize(
    "command",
    [
        ["ffmpeg", "-v", "error", "-i", "{}.mp3", "-f", "s16le", "-ac", "1", "-ar", "48000", "-"],
        ["ffmpeg", "-v", "error", "-i", "{}.opus", "-f", "s16le", "-ac", "1", "-ar", "48000", "-"],
        ["mpg123", "-q", "-s", "-m", "-r", "48000", "{}.mp3"],
    ],
    ids=["ffmpeg-mp3", "ffmpeg-opus", "mpg123"],
)
async def test_a_player_hears_the_switch_in_one_connection(site: Site, command: list[str]) -> None:
    heard = await record(site, *(part.format(f"{site.url}/listen/cao-lanh") for part in command))
    assert len(heard) > 2.5 * SAMPLE_RATE
    assert pitch(heard[12_000:36_000]) == pytest.approx(LOW_HZ, abs=5)
    assert pitch(heard[-36_000:-12_000]) == pytest.approx(HIGH_HZ, abs=5)
    assert np.abs(heard).max() < 12_000, "a click at the splice"
    assert site.joined == 1


@pytest.mark.parametrize("suffix", ["mp3", "opus"])
async def test_chromium_hears_the_switch_in_one_connection(site: Site, suffix: str) -> None:
    arguments = [
        "--no-sandbox",
        "--autoplay-policy=no-user-gesture-required",
        "--mute-audio",
        "--disable-sync",
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        page = await browser.new_page()
        await page.goto(site.url)
        await page.evaluate("source => play(source)", f"/listen/cao-lanh.{suffix}")
        await page.wait_for_function(f"Math.abs(loudest() - {LOW_HZ}) < 20")
        before = site.joined
        site.air.program = site.air.high
        await page.wait_for_function(f"Math.abs(loudest() - {HIGH_HZ}) < 20")
        began = await page.evaluate("a.currentTime")
        await page.wait_for_function(f"a.currentTime > {began} + 1")
        assert await page.evaluate("seen.filter(e => e != 'stalled')") == []
        assert site.joined == before
        await browser.close()
