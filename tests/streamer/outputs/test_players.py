"""Real players over an emergency and back: each hears one tone, another, and the first again, in one go.

The tones are whole periods in every frame of every codec. `heard` takes the pitch of every 100 ms of what a
player gave, leaves out the joints, and tells the runs.
"""

import asyncio
import itertools
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
from aiohttp import web
from playwright.async_api import async_playwright

from loa.clock import NodeClock
from loa.codecs.frame import FRAME_SAMPLES, FRAME_US, MP3_FRAME_SAMPLES, SAMPLE_RATE, Pcm
from loa.codecs.mp3 import Mp3Encoder
from loa.codecs.opus import OpusEncoder
from loa.streamer.broadcast import Overridden
from loa.streamer.mounts import Mounts
from loa.streamer.outputs.hls import Hls

pytestmark = pytest.mark.peer

LOW_HZ, HIGH_HZ = 500, 1000
PLACE = "00000000000000aa"
HEARD_FRAMES = SAMPLE_RATE // 10


class Tone:
    def __init__(self, name: str, hz: int) -> None:
        self.id = name * 16
        opus, mp3 = OpusEncoder(tonal=True), Mp3Encoder()
        self._opus = [opus.encode(wave(hz, FRAME_SAMPLES)) for _ in range(60)][10:]
        self._mp3 = [mp3.encode(wave(hz, MP3_FRAME_SAMPLES)) for _ in range(60)][10:]

    def opus(self, k: int) -> bytes | None:
        return self._opus[k % 50]

    def mp3(self, k: int) -> bytes | None:
        return self._mp3[k % 50]

    def want_mp3(self, wanted: bool) -> None:
        pass


def wave(hz: int, samples: int) -> Pcm:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(samples) / SAMPLE_RATE)).astype(np.int16)


class Air:
    def __init__(self) -> None:
        self.low, self.high = Tone("a", LOW_HZ), Tone("b", HIGH_HZ)
        self.program: Tone | None = self.low

    def resolve(self, path: str) -> str | None:
        return PLACE

    def program_at(self, place_id: str) -> Tone | None:
        return self.program

    def title_at(self, place_id: str) -> str:
        return "Bản tin sáng"

    def name_of(self, place_id: str) -> str:
        return "Cao Lãnh"


class Site:
    def __init__(self, air: Air, mounts: Mounts, hls: Hls, clock: NodeClock, url: str) -> None:
        self.air, self.mounts, self.hls, self.clock, self.url = air, mounts, hls, clock, url
        self.requests: list[str] = []

    def switch(self, program: Tone) -> None:
        self.air.program = program
        at_us = (self.clock.now_us() // FRAME_US + 1) * FRAME_US
        self.hls.on_air_event(Overridden([(0, 1)], None, None, at_us))

    async def emergency(self, each_s: float) -> None:
        """After a while of the one another, and then the one again."""
        await asyncio.sleep(each_s)
        before = self.joined
        self.switch(self.air.high)
        await asyncio.sleep(each_s)
        self.switch(self.air.low)
        await asyncio.sleep(each_s)
        assert self.joined == before, "it had to connect anew"

    @property
    def joined(self) -> int:
        return sum(counters.joined for counters in self.mounts.counters.values())


PAGE = """<!doctype html><audio id=a></audio><script>
const a = document.getElementById('a'); window.seen = [];
for (const e of ['error', 'ended', 'emptied']) a.addEventListener(e, () => seen.push(e));
async function play(source) {
  a.src = source; await a.play();
  const context = new AudioContext(), meter = context.createAnalyser(); meter.fftSize = 8192;
  context.createMediaElementSource(a).connect(meter);
  window.loudest = () => { const d = new Uint8Array(meter.frequencyBinCount); meter.getByteFrequencyData(d);
    return d.indexOf(Math.max(...d)) * context.sampleRate / meter.fftSize; };
}
async function playList(list) {
  const source = new MediaSource(); const url = URL.createObjectURL(source);
  const opened = new Promise(done => source.addEventListener('sourceopen', done));
  a.src = url; await opened;
  const buffer = source.addSourceBuffer('audio/mpeg'), had = new Set();
  buffer.mode = 'sequence';
  (async () => { for (;;) {
    const text = await (await fetch(list)).text();
    for (const line of text.split('\\n').filter(l => l && !l.startsWith('#'))) {
      if (had.has(line)) continue;
      had.add(line);
      const data = await (await fetch(line)).arrayBuffer();
      const done = new Promise(d => buffer.addEventListener('updateend', d, {once: true}));
      buffer.appendBuffer(data); await done;
    }
    await new Promise(d => setTimeout(d, 500));
  } })();
  await a.play();
  const context = new AudioContext(), meter = context.createAnalyser(); meter.fftSize = 8192;
  context.createMediaElementSource(a).connect(meter); meter.connect(context.destination);
  window.loudest = () => { const d = new Uint8Array(meter.frequencyBinCount); meter.getByteFrequencyData(d);
    return d.indexOf(Math.max(...d)) * context.sampleRate / meter.fftSize; };
}
</script>"""


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    air, clock = Air(), NodeClock()
    mounts, hls = Mounts(air, clock), Hls(air, clock)
    app = web.Application()
    mounts.add_routes(app.router)
    hls.add_routes(app.router)

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(mounts.run()), tasks.create_task(hls.run())]
        yield Site(air, mounts, hls, clock, f"http://127.0.0.1:{runner.addresses[0][1]}")
        for task in running:
            task.cancel()
    async with asyncio.timeout(10):
        for _ in iter(lambda: mounts.listeners, 0):
            await asyncio.sleep(0.02)
    await runner.cleanup()


def heard(pcm: Pcm) -> list[tuple[int, int]]:
    """Runs of (pitch in Hz, pieces of 100 ms); what is silent or a joint is left out."""
    pitches: list[int] = []
    for at in range(0, len(pcm) - HEARD_FRAMES, HEARD_FRAMES):
        piece = pcm[at : at + HEARD_FRAMES].astype(np.float64)
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece))))
        top = int(np.argmax(spectrum))
        near = spectrum[max(0, top - 3) : top + 4]
        if np.abs(piece).max() > 2000 and np.sum(near**2) > 0.98 * np.sum(spectrum**2):
            pitches.append(round(top * SAMPLE_RATE / len(piece)))
    return [(hz, len(list(run))) for hz, run in itertools.groupby(pitches)]


def assert_over_and_back(pcm: Pcm, *, at_least: int, suffix: str = "") -> None:
    """Where two programs meet, AAC sounds half a frame of each at once; MP3 overshoots by 3.5 dB."""
    runs = heard(pcm)
    assert [hz for hz, _ in runs] == [LOW_HZ, HIGH_HZ, LOW_HZ], runs
    assert all(pieces >= at_least for _, pieces in runs), runs
    assert np.abs(pcm).max() < (16_000 if suffix == "aac" else 12_500), "a click at a joint"


async def listening(site: Site, *, hls: bool) -> None:
    async with asyncio.timeout(30):
        for _ in iter(lambda: site.hls.places if hls else site.mounts.listeners, 1):
            await asyncio.sleep(0.02)


async def stopped(player: asyncio.subprocess.Process) -> None:
    """As its user would; and at once if it does not hear."""
    if player.returncode is None:
        player.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(player.wait(), 10)
    except TimeoutError:
        player.kill()
        await player.wait()


RAW = ["-f", "s16le", "-ac", "1", "-ar", "48000", "-"]
CAPS = "audio/x-raw,format=S16LE,rate=48000,channels=1"


@pytest.mark.parametrize("suffix", ["mp3", "opus", "aac"])
async def test_ffmpeg_over_an_emergency_and_back(site: Site, suffix: str) -> None:
    pcm = await piped(site, "ffmpeg", "-v", "error", "-i", f"{site.url}/listen/x.{suffix}", *RAW)
    assert_over_and_back(pcm, at_least=12, suffix=suffix)
    assert site.joined == 1


async def test_mpg123_over_an_emergency_and_back(site: Site) -> None:
    pcm = await piped(site, "mpg123", "-q", "-s", "-m", "-r", "48000", f"{site.url}/listen/x.mp3")
    assert_over_and_back(pcm, at_least=12)
    assert site.joined == 1


@pytest.mark.parametrize("suffix", ["mp3", "opus", "aac"])
async def test_gstreamer_over_an_emergency_and_back(site: Site, suffix: str) -> None:
    pcm = await piped(
        site,
        *(
            "gst-launch-1.0",
            "-q",
            "souphttpsrc",
            f"location={site.url}/listen/x.{suffix}",
            "iradio-mode=true",
        ),
        *("!", "decodebin", "!", "audioconvert", "!", "audioresample", "!", CAPS, "!", "fdsink", "fd=1"),
    )
    assert_over_and_back(pcm, at_least=12, suffix=suffix)
    assert site.joined == 1


@pytest.mark.parametrize("suffix", ["mp3", "opus", "aac", "m3u", "pls"])
async def test_vlc_over_an_emergency_and_back(site: Site, suffix: str) -> None:
    """It connects twice when it begins, to look what it is."""
    pcm = await by_vlc(site, f"{site.url}/listen/x.{suffix}", hls=False, each_s=4)
    assert_over_and_back(pcm, at_least=12, suffix=suffix)


async def test_vlc_plays_hls_over_an_emergency_and_back(site: Site) -> None:
    pcm = await by_vlc(site, f"{site.url}/hls/x/index.m3u8", hls=True, each_s=7)
    assert_over_and_back(pcm, at_least=20)


async def test_ffmpeg_plays_hls_over_an_emergency_and_back(site: Site) -> None:
    command = ["ffmpeg", "-v", "error", "-i", f"{site.url}/hls/x/index.m3u8", *RAW]
    pcm = await piped(site, *command, hls=True, each_s=6)
    assert_over_and_back(pcm, at_least=20)


async def test_gstreamer_plays_hls_over_an_emergency_and_back(site: Site) -> None:
    pcm = await piped(
        site,
        *("gst-launch-1.0", "-q", "souphttpsrc", f"location={site.url}/hls/x/index.m3u8", "!", "hlsdemux"),
        *("!", "decodebin", "!", "audioconvert", "!", "audioresample", "!", CAPS, "!", "fdsink", "fd=1"),
        hls=True,
        each_s=7,
    )
    assert_over_and_back(pcm, at_least=20)


async def piped(site: Site, *command: str, hls: bool = False, each_s: float = 1.8) -> Pcm:
    """What a player gives on its standard output (int16 mono 48 kHz)."""
    output = await played(site, command, hls=hls, each_s=each_s)
    return np.frombuffer(output[: len(output) // 2 * 2], np.int16)


async def played(site: Site, command: Sequence[str], *, hls: bool, each_s: float) -> bytes:
    """Its standard output until it is stopped, over an emergency and back."""
    player = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert player.stdout is not None
    reading = asyncio.create_task(player.stdout.read())
    try:
        await listening(site, hls=hls)
        await site.emergency(each_s)
        if hls or "cvlc" in command:  # VLC would come again
            await stopped(player)
        site.mounts.close()
        async with asyncio.timeout(20):
            return await reading
    finally:
        site.mounts.close()
        await stopped(player)
        reading.cancel()


async def by_vlc(site: Site, url: str, *, hls: bool, each_s: float) -> Pcm:
    """What VLC writes while it plays, in real time, as a WAV file that never ends."""
    sound = "#transcode{acodec=s16l,channels=1,samplerate=48000}:std{access=file,mux=wav,dst=-}"
    command = vlc("--sout", sound, "--network-caching=300", url, "vlc://quit")
    output = await played(site, command, hls=hls, each_s=each_s)
    data = output[output.index(b"data") + 8 :]
    return np.frombuffer(data[: len(data) // 2 * 2], np.int16)


def vlc(*arguments: str) -> Sequence[str]:
    """VLC refuses to be root."""
    command = ["cvlc", "-q", "--no-video", "--play-and-exit", *arguments]
    if os.geteuid() == 0:
        return ["setpriv", "--reuid=nobody", "--clear-groups", "env", "HOME=/tmp", *command]
    return command


@pytest.mark.parametrize("way", ["mp3", "opus", "aac", "hls"])
async def test_chromium_over_an_emergency_and_back(site: Site, way: str) -> None:
    """A mount as `<audio src>`, HLS by MediaSource, as the players in web pages do it."""
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        page = await browser.new_page()
        await page.goto(site.url)
        if way == "hls":
            await page.evaluate("playList('/hls/x/index.m3u8')")
        else:
            await page.evaluate("source => play(source)", f"/listen/x.{way}")
        await page.wait_for_function(f"Math.abs(loudest() - {LOW_HZ}) < 20")
        before = site.joined
        for program, hz in ((site.air.high, HIGH_HZ), (site.air.low, LOW_HZ)):
            site.switch(program)
            await page.wait_for_function(f"Math.abs(loudest() - {hz}) < 20")
            await asyncio.sleep(1)
        assert await page.evaluate("seen") == []
        assert site.joined == before
        await browser.close()
