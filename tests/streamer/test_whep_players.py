"""Real listeners over WebRTC: Chromium, and GStreamer's own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright

from loa.clock import NodeClock
from loa.codecs.frame import FRAME_SAMPLES, SAMPLE_RATE
from loa.codecs.opus import OpusEncoder
from loa.streamer.outputs.whep import Whep
from loa.streamer.peers import Peers

pytestmark = pytest.mark.peer

PLACE = "a" * 16

PAGE = """<!doctype html><script>
async function listen() {
  window.pc = new RTCPeerConnection({iceServers: []});
  pc.addTransceiver('video', {direction: 'recvonly'});
  pc.addTransceiver('audio', {direction: 'recvonly'});
  const track = new Promise(done => pc.ontrack = event => done(event.track));
  await pc.setLocalDescription();
  const response = await fetch('/whep/PLACE', {method: 'POST', body: pc.localDescription.sdp,
    headers: {'Content-Type': 'application/sdp'}});
  window.session = response.headers.get('Location');
  await pc.setRemoteDescription({type: 'answer', sdp: await response.text()});
  const stream = new MediaStream([await track]);
  const muted = new Audio();  // Chromium decodes a remote track only while some element plays it
  muted.muted = true; muted.srcObject = stream; await muted.play();
  const context = new AudioContext({sampleRate: 48000});
  await context.resume();
  window.ear = context.createAnalyser();
  ear.fftSize = 4096; ear.smoothingTimeConstant = 0;
  context.createMediaStreamSource(stream).connect(ear);
  return response.status;
}
function pitch() {
  const bins = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(bins);
  const top = bins.indexOf(Math.max(...bins));
  return bins[top] > -60 ? top * 48000 / 4096 : 0;
}
async function lost() {
  let found = null;
  (await pc.getStats()).forEach(one => {
    if (one.type === 'inbound-rtp') found = [one.packetsReceived, one.packetsLost];
  });
  return found;
}
</script>""".replace("PLACE", PLACE)


@dataclass
class Program:
    """A tone that has sounded since ever."""

    id: str
    packets: list[bytes]

    def opus(self, k: int) -> bytes | None:
        return self.packets[k % len(self.packets)]


def tone(name: str, hz: int) -> Program:
    encoder = OpusEncoder(tonal=True)
    wave = 8000 * np.sin(2 * np.pi * hz * np.arange(50 * FRAME_SAMPLES) / SAMPLE_RATE)
    frames = wave.astype(np.int16).reshape(50, FRAME_SAMPLES)
    return Program(name, [encoder.encode(frame) for frame in frames])


class Site:
    def __init__(self) -> None:
        self.playing: Program | None = None
        clock = NodeClock()
        self.peers = Peers(clock)
        self.whep = Whep(self, self.peers, clock)
        self.url = ""

    def resolve(self, path: str) -> str | None:
        return PLACE if path == PLACE else None

    def program_at(self, place_id: str) -> Program | None:
        return self.playing


async def page(request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    site.whep.add_routes(app.router)
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(site.peers.run()), tasks.create_task(site.whep.run())]
        yield site
        for task in running:
            task.cancel()
    await runner.cleanup()


async def hears(tab: Page, hz: int) -> None:
    await tab.wait_for_function(f"Math.abs(pitch() - {hz}) <= 20", timeout=15_000)


async def gets(tab: Page, packets: int) -> None:
    await tab.wait_for_function(f"lost().then(found => found && found[0] >= {packets})", timeout=15_000)


async def test_chromium_hears_an_emergency_and_what_was_before_it(site: Site) -> None:
    ordinary, emergency = tone("1" * 16, 440), tone("2" * 16, 1000)
    site.playing = ordinary
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-quic"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        tab = await browser.new_page()
        await tab.goto(site.url)
        assert await tab.evaluate("listen()") == 201
        await hears(tab, 440)
        site.playing = emergency
        await hears(tab, 1000)
        site.playing = None
        await hears(tab, 0)
        site.playing = ordinary
        await hears(tab, 440)
        await gets(tab, 50)
        assert (await tab.evaluate("lost()"))[1] == 0
        assert await tab.evaluate("pc.connectionState") == "connected"
        await tab.evaluate("fetch(session, {method: 'DELETE'})")
        assert len(site.whep) == 0
        await browser.close()


async def test_a_call_that_a_page_closes_is_over(site: Site) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = await browser.new_page()
        await tab.goto(site.url)
        assert await tab.evaluate("listen()") == 201
        await gets(tab, 5)
        await tab.evaluate("pc.close()")
        async with asyncio.timeout(20):
            for _ in iter(lambda: len(site.whep), 0):
                await asyncio.sleep(0.02)
        await browser.close()
