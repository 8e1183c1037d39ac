"""A radio as a broadcast hears it, over the real worker; what plays is told by its pitch."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from pathlib import Path

import numpy as np
import pytest

from loa.bench.icecast import Icecast, icecast
from loa.clock import NodeClock
from loa.codecs.frame import FRAME_SAMPLES, FRAME_US, SAMPLE_RATE, Pcm
from loa.streamer.broadcast import RadioSource
from loa.streamer.sources.radios import RadioFeed, Radios

LOOPBACK = (ip_network("127.0.0.0/8"),)


class Ear:
    """Reads a feed by the clock, as the pump does, and remembers what it heard."""

    def __init__(self, radios: Radios, *addresses: str) -> None:
        self.feed: RadioFeed = radios.feed(RadioSource("a" * 16, addresses, "Đài"))
        self.frames: list[Pcm] = []
        self._due_s = time.monotonic()

    async def listen(self, until: Callable[["Ear"], bool], within_s: float = 30.0) -> float:
        """Listen until it is so; how long that took. AssertionError when it is never so."""
        begun_s = time.monotonic()
        while not until(self):
            assert time.monotonic() - begun_s < within_s, f"never heard: {self.pitch():.0f} Hz at last"
            self.frames.append(self.feed.frame())
            self._due_s = max(self._due_s + FRAME_US / 1e6, time.monotonic() - 0.1)
            await asyncio.sleep(max(0.0, self._due_s - time.monotonic()))
        return time.monotonic() - begun_s

    async def hears(self, hertz: int, within_s: float = 30.0) -> float:
        return await self.listen(lambda ear: abs(ear.pitch() - hertz) < 25, within_s)

    async def hears_nothing(self, within_s: float = 10.0) -> float:
        return await self.listen(lambda ear: ear.pitch() == 0 and len(ear.frames) > 10, within_s)

    async def goes_on(self, seconds: float) -> None:
        count = len(self.frames) + int(seconds * SAMPLE_RATE / FRAME_SAMPLES)
        await self.listen(lambda ear: len(ear.frames) >= count, 2 * seconds + 5)

    def pitch(self) -> float:
        """Of the last 200 ms; 0 for silence."""
        heard = np.concatenate([np.zeros(FRAME_SAMPLES, np.int16), *self.frames[-10:]]).astype(np.float64)
        if np.abs(heard).max() < 100:
            return 0.0
        spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
        return float(np.argmax(spectrum) * SAMPLE_RATE / len(heard))

    def silent_frames(self) -> int:
        """After the first sound: frames in which nothing was heard."""
        loud = [bool(np.abs(frame).max() >= 100) for frame in self.frames]
        return loud[loud.index(True) :].count(False) if True in loud else 0


@pytest.fixture
async def radios() -> AsyncIterator[Radios]:
    made = Radios(NodeClock(), LOOPBACK)
    work = asyncio.create_task(made.run())
    await asyncio.sleep(0)
    yield made
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


@pytest.fixture
async def upstream(tmp_path: Path) -> AsyncIterator[Icecast]:
    async with icecast(tmp_path / "upstream") as server:
        yield server


@pytest.fixture
async def standby(tmp_path: Path) -> AsyncIterator[Icecast]:
    async with icecast(tmp_path / "standby") as server:
        yield server
