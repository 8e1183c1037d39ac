"""Real callers: Chromium with recorded human speech, and ffmpeg's own WHIP."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from aiohttp import web
from playwright.async_api import Error, Page, async_playwright

from loa.clock import NodeClock
from loa.codecs.frame import FRAME_US, SAMPLE_RATE, Pcm
from loa.streamer.leg import Gone
from loa.streamer.microphone import MicrophoneSource
from loa.streamer.pacer import Pacer
from loa.streamer.whip import Whip

pytestmark = pytest.mark.peer

SPEECH = Path("/usr/share/sounds/alsa/Front_Center.wav")

PAGE = """<!doctype html><script>
async function call() {
  const plain = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
  window.track = (await navigator.mediaDevices.getUserMedia({audio: plain})).getAudioTracks()[0];
  window.pc = new RTCPeerConnection({iceServers: []});
  pc.addTransceiver(track, {direction: 'sendonly'});
  await pc.setLocalDescription();
  const response = await fetch('/whip/one', {method: 'POST', body: pc.localDescription.sdp,
    headers: {'Content-Type': 'application/sdp', 'Authorization': 'Bearer secret'}});
  await pc.setRemoteDescription({type: 'answer', sdp: await response.text()});
  return response.status;
}
</script>"""

FFMPEG = """
import sys, time, fractions, av, numpy as np
url, cert, key = sys.argv[1:4]
options = {"cert_file": cert, "key_file": key} if cert else {}
with av.open(url, "w", format="whip", options=options) as call:
    voice = call.add_stream("libopus", rate=48000, layout="stereo")
    begin = time.monotonic()
    for k in range(150):
        wave = 8000 * np.sin(2 * np.pi * 1000 * np.arange(960) / 48000)
        both = np.repeat(wave, 2).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(both, "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, k * 960, fractions.Fraction(1, 48000)
        for packet in voice.encode(frame):
            call.mux(packet)
        time.sleep(max(0, begin + k * 0.02 - time.monotonic()))
"""


class Site:
    def __init__(self) -> None:
        self.clock = NodeClock()
        self.microphone = MicrophoneSource()
        self.gone: list[Gone] = []
        self.whip = Whip(self.admit, lambda program, how: self.gone.append(how), self.clock)
        self.aired: list[Pcm] = []
        self.url = ""

    def admit(self, program: str, token: str | None) -> MicrophoneSource:
        return self.microphone

    async def pump(self) -> None:
        """What a program does: a frame every 20 ms."""
        pacer, k = Pacer(self.clock), self.clock.now_us() // FRAME_US + 1
        while True:
            await pacer.until(k * FRAME_US)
            self.aired.append(self.microphone.frame())
            k += 1

    @property
    def speaking(self) -> bool:
        return self.microphone.level.rms_dbfs > -40

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            for _ in iter(holds, True):
                await asyncio.sleep(0.02)


async def page(request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    site.whip.add_routes(app.router)
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(site.whip.run()), tasks.create_task(site.pump())]
        yield site
        for task in running:
            task.cancel()
    await runner.cleanup()


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pcm]:
    """The file that Chromium takes for its microphone: half a second of silence, speech, silence."""
    spoken, rate = soundfile.read(SPEECH, dtype="int16")
    assert rate == SAMPLE_RATE
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    pause = np.zeros(SAMPLE_RATE, np.int16)
    soundfile.write(path, np.concatenate((pause, spoken, np.tile(pause, 10))), SAMPLE_RATE)
    return path, spoken


@asynccontextmanager
async def chromium(site: Site, speech: Path) -> AsyncIterator[Page]:
    arguments = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={speech}%noloop",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        tab = await browser.new_page()
        await tab.goto(site.url)
        assert await tab.evaluate("call()") == 201
        await site.until(lambda: site.speaking)
        yield tab
        await browser.close()


def likeness(heard: Pcm, spoken: Pcm) -> float:
    """The best normalised correlation of a third of a second of speech with what was heard."""
    loud = int(np.argmax(np.convolve(np.abs(spoken.astype(np.float64)), np.ones(4800), "same")))
    pattern = spoken[max(0, loud - 8000) : loud + 8000].astype(np.float64)
    within = heard.astype(np.float64)
    size = 1 << (len(within) + len(pattern)).bit_length()
    product = np.fft.rfft(within, size) * np.conj(np.fft.rfft(pattern, size))
    correlation = np.fft.irfft(product, size)[: len(within) - len(pattern)]
    sums = np.concatenate(([0.0], np.cumsum(within**2)))
    energy = sums[len(pattern) :] - sums[: -len(pattern)]
    norm = np.sqrt(np.maximum(energy[: len(correlation)], 1.0) * np.sum(pattern**2))
    return float(np.max(np.abs(correlation) / norm))


async def test_speech_into_chromium_is_what_goes_on_air(site: Site, speech: tuple[Path, Pcm]) -> None:
    path, spoken = speech
    async with chromium(site, path):
        await asyncio.sleep(len(spoken) / SAMPLE_RATE + 0.5)
        heard = np.concatenate(site.aired)
    assert likeness(heard, spoken) > 0.6
    assert likeness(np.random.default_rng(1).integers(-3000, 3000, len(heard)).astype(np.int16), spoken) < 0.2


async def leave(tab: Page) -> None:
    await tab.evaluate("pc.close()")


async def crash(tab: Page) -> None:
    """As a laptop that closes: nothing more is sent, and nobody says so."""
    session = await tab.context.new_cdp_session(tab)
    with suppress(Error, TimeoutError):
        async with asyncio.timeout(1):
            await session.send("Page.crash")


async def take_the_microphone_away(tab: Page) -> None:
    await tab.evaluate("pc.getSenders()[0].replaceTrack(null)")


@pytest.mark.parametrize(
    ("end", "how"),
    [(leave, Gone.LEFT), (crash, Gone.VANISHED), (take_the_microphone_away, Gone.VANISHED)],
)
async def test_the_end_of_a_call_is_noticed(
    site: Site, speech: tuple[Path, Pcm], end: Callable[[Page], Awaitable[None]], how: Gone
) -> None:
    async with chromium(site, speech[0]) as tab:
        await end(tab)
        await site.until(lambda: site.gone != [])
    assert site.gone == [how]


async def test_a_muted_microphone_stays_on_the_line(site: Site, speech: tuple[Path, Pcm]) -> None:
    async with chromium(site, speech[0]) as tab:
        await tab.evaluate("track.enabled = false")
        await site.until(lambda: not site.speaking)
        muted_us = site.clock.now_us()
        await site.until(lambda: (site.microphone.last_heard_us or 0) > muted_us + 4_000_000)
        assert site.gone == []


async def ffmpeg(site: Site, certificate: str = "", key: str = "") -> tuple[int, str]:
    """Run ffmpeg's WHIP muxer for three seconds, in a process of its own."""
    command = [sys.executable, "-c", FFMPEG, f"{site.url}/whip/one", certificate, key]
    pushing = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    async with asyncio.timeout(60):
        _, errors = await pushing.communicate()
    return pushing.returncode or 0, errors.decode()


async def test_ffmpeg_is_heard_when_it_has_a_certificate_on_the_common_curve(
    site: Site, tmp_path: Path
) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    made = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", *curve, "-subj", "/CN=x", "-keyout", key, "-out", certificate,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert await made.wait() == 0
    code, errors = await ffmpeg(site, certificate, key)
    assert code == 0, errors
    await site.until(lambda: site.gone == [Gone.LEFT])
    heard = np.concatenate(site.aired)
    assert np.abs(heard).max() > 2000


async def test_ffmpeg_with_the_certificate_that_gnutls_makes_is_refused_and_told_of(site: Site) -> None:
    """Up to 8.1 it takes a curve outside RFC 8827, section 6.5. When this fails, a newer ffmpeg has mended
    it: then the hint in dtls.py can go."""
    code, errors = await ffmpeg(site)
    assert code != 0
    assert "Input/output error" in errors
    assert site.gone == [Gone.REFUSED]
