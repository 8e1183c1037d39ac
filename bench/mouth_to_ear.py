"""mouth-to-ear: from Chromium's microphone to the sound of a speaker, on the LAN profile.

Chirps of a WAV enter Chromium's fake microphone; a page sends them by WHIP as ours does, and stamps each
piece of the very track that is sent when it reaches JavaScript; `loa speaker` writes a WAV with the network
time of its first sample, which is Unix time on the same machine. The same chirp is found in both by
correlation.

Inside the figure: the capture buffer of Chromium (10 ms), its encoder, network, DTLS, the jitter FIFO,
levelling, our encoder, signing, sending, verifying, the speaker's buffer, decoding, and the latency that all
speakers of a place keep (LATENCY_MS). Outside: what a real microphone and its driver take, a sound card's
buffer, and the air between horn and ear. Not in our favour: a sample is taken to have entered at the earliest
instant that any piece within a second of it allows, so a page that is slow to look hides no delay.
"""

import asyncio
import base64
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from ..codecs.frame import SAMPLE_RATE
from ..errors import InternalError, OperatorError
from . import chirps
from .house import LOA, Prepared, Running, prepare, running
from .result import Metrics

if TYPE_CHECKING:
    from playwright.async_api import Page

LATENCY_MS = 100
LAN = {"LOA_PROFILE": "lan", "LOA_LATENCY_MS": str(LATENCY_MS)}

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
PAGE_MS = 30_000
LONGEST_US = 2_000_000
SETTLE_S = 1.0


Heard = tuple[int, float]
"""Kind of a chirp, and the Unix time in microseconds at which it began."""

Piece = tuple[float, int, str]
"""Of the capture: Unix time in milliseconds at which it reached the page, rate, int16 samples in base64."""


def run(seconds: float) -> Metrics:
    """`seconds` is how long the microphone is open on the air."""
    return asyncio.run(_run(seconds))


async def _run(seconds: float) -> Metrics:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = await prepare(folder / "node", 1, 0)
        soundfile.write(folder / "chirps.wav", chirps.score(), SAMPLE_RATE)
        async with running(prepared.folder, LAN) as node, _browser(folder / "chirps.wav") as page:
            async with _speaker(node, prepared, folder):
                captured = await _call(node, prepared, page, seconds)
                await asyncio.sleep(1.0)
            heard = _played(folder / "heard.wav")
    delays_ms = _delays_ms(_entered(captured), heard)
    if len(delays_ms) < seconds / chirps.SPACING_S / 2:
        raise InternalError(
            f"bench: {len(delays_ms)} chirps came out in {seconds:.0f} s, expected two a second"
        )
    return {
        "p50_ms": float(np.percentile(delays_ms, 50)),
        "p99_ms": float(np.percentile(delays_ms, 99)),
        "chirps": len(delays_ms),
        "latency_ms": LATENCY_MS,
    }


async def _call(node: Running, prepared: Prepared, page: "Page", seconds: float) -> Sequence[Piece]:
    """Go live from the page for so long; what its microphone captured."""
    order = {"source": {"kind": "microphone"}, "targets": list(prepared.communes)}
    made = await node.api.call("POST", "/broadcasts", order)
    await page.goto(f"{node.api.base}/healthz")
    await page.evaluate((Path(__file__).parent / "microphone.js").read_text("utf-8"))
    await page.evaluate("whip => microphone.open(whip)", made["whip"])
    async with asyncio.timeout(PAGE_MS / 1000):
        while (await node.api.call("GET", f"/broadcasts/{made['id']}"))["state"] != "live":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    await asyncio.sleep(SETTLE_S + seconds)
    captured: Sequence[Piece] = await page.evaluate("() => microphone.close()")
    return captured


def _entered(captured: Sequence[Piece]) -> list[Heard]:
    """When each chirp entered the microphone, in order, those of the settling left out."""
    rate = captured[0][1]
    parts = [np.frombuffer(base64.b64decode(samples), "<i2") for _ms, _rate, samples in captured]
    ends = np.cumsum([len(part) for part in parts])
    zero_us = np.array([ms * 1000 for ms, _rate, _samples in captured]) - ends * 1e6 / rate
    heard = []
    for kind, at in chirps.found(np.concatenate(parts) / 32768, rate):
        if at > SETTLE_S * rate:
            near = np.abs(ends - at) < rate
            heard.append((kind, float(zero_us[near].min()) + at * 1e6 / rate))
    return sorted(heard, key=lambda one: one[1])


def _played(file: Path) -> list[Heard]:
    """When each chirp sounded at the speaker, in order."""
    sound, rate = soundfile.read(file)
    begin_us = json.loads(file.with_name(file.name + ".json").read_text())["sample_0_network_us"]
    return sorted(
        ((kind, begin_us + at * 1e6 / rate) for kind, at in chirps.found(sound, rate)), key=lambda h: h[1]
    )


def _delays_ms(entered: Sequence[Heard], played: Sequence[Heard]) -> list[float]:
    """For each chirp that sounded, how long after it had entered."""
    delays_ms = []
    for kind, at_us in entered:
        after = [t - at_us for other, t in played if other == kind and 0 < t - at_us < LONGEST_US]
        if after:
            delays_ms.append(min(after) / 1000)
    return delays_ms


@contextlib.asynccontextmanager
async def _speaker(node: Running, prepared: Prepared, folder: Path) -> AsyncIterator[None]:
    """A loudspeaker of the commune that plays into a file, online."""
    seat = {"place": prepared.communes[0], "name": "Loa", "approved": True}
    code = (await node.api.call("POST", "/enrolments", seat))["code"]
    process = await asyncio.create_subprocess_exec(
        *LOA, "speaker", "--node", node.api.base, "--enrol", str(code), "--state", str(folder / "speaker"),
        "--output", f"wav:{folder / 'heard.wav'}",
    )  # fmt: skip
    try:
        async with asyncio.timeout(PAGE_MS / 1000):
            while "udp" not in await _ways(node):  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.1)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _ways(node: Running) -> list[object]:
    """By which way each speaker is reached."""
    async with node.api.http.get(f"{node.api.base}/api/v1/speakers") as response:
        return [speaker["via"] for speaker in await response.json()]


@contextlib.asynccontextmanager
async def _browser(microphone: Path) -> AsyncIterator["Page"]:
    """A page of Chromium whose microphone hears a file, over and over."""
    try:
        from playwright.async_api import async_playwright  # only who develops Loa has it
    except ImportError as error:
        raise OperatorError("bench: no Playwright; expected the packages of `make test`") from error
    if shutil.which(CHROMIUM) is None:
        raise OperatorError(f"bench: no {CHROMIUM}; expected Debian's chromium")
    flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"]
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            context = await chromium.new_context(permissions=["microphone"])
            page = await context.new_page()
            page.set_default_timeout(PAGE_MS)
            yield page
        finally:
            await chromium.close()
