"""radio: what relaying a radio adds, and what ten of them cost.

A real Icecast sends MP3 of 128 kb/s that a real ffmpeg makes: a short tone now and then. A direct listener
decodes the bytes as they come; beside it relays of the same mount run as on air, each in its process, their
feeds read every 20 ms. `added_ms` is the median time from a tone at the direct listener to the same tone at
the relay; `cores` is the processor time of all workers and of the process that reads them, by the time.
"""

import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import numpy as np

from ..clock import NodeClock
from ..codecs.frame import FRAME_US, SAMPLE_RATE, Pcm
from ..errors import InternalError
from ..streamer.broadcast import RadioSource
from ..streamer.sources.radio_decode import StreamDecoder
from ..streamer.sources.radio_fetch import Fetcher, Tuned
from ..streamer.sources.radios import RadioFeed, Radios
from .icecast import icecast
from .result import Metrics

LOOPBACK = (ip_network("127.0.0.0/8"),)
TONES = "aevalsrc='0.5*sin(880*2*PI*t)*lt(mod(t\\,1.3)\\,0.1)':s=48000"
MP3 = ("-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3")
SETTLE_S = 12.0
"""Icecast's burst is over, and the reserves have found their size."""
QUIET_S = 0.4
LONGEST_S = 1.2


@dataclass
class Onsets:
    """When tones began, by the monotonic clock."""

    times_s: list[float] = field(default_factory=list)
    _quiet: int = 0

    def hear(self, pcm: Pcm, begins_s: float) -> None:
        """Sound whose first sample sounds at this time."""
        for at in range(0, len(pcm), 48):
            if np.abs(pcm[at : at + 48]).max(initial=0) > 2000:
                if self._quiet > QUIET_S * SAMPLE_RATE:
                    self.times_s.append(begins_s + at / SAMPLE_RATE)
                self._quiet = 0
            else:
                self._quiet += 48


def run(radios: int, seconds: float) -> Metrics:
    """`seconds` is how long they are watched."""
    return asyncio.run(_run(radios, seconds))


async def _run(count: int, seconds: float) -> Metrics:
    with tempfile.TemporaryDirectory() as folder:
        async with icecast(Path(folder) / "icecast") as server:
            await server.source("live", "-f", "lavfi", "-i", TONES, *MP3)
            await server.heard("live")
            return await _measure(f"{server.base}/live", count, seconds)


async def _measure(address: str, count: int, seconds: float) -> Metrics:
    relays, direct = Radios(NodeClock(), LOOPBACK), Onsets()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(relays.run()), group.create_task(_listen(address, direct))]
        await asyncio.sleep(0)
        feeds = [relays.feed(RadioSource(f"{n:016x}", (address,), "bench")) for n in range(count)]
        await _read(feeds, [Onsets() for _ in feeds], SETTLE_S)
        begun_s, spent_s = time.monotonic(), _cpu_s()
        heard = [Onsets() for _ in feeds]
        await _read(feeds, heard, seconds)
        cores = (_cpu_s() - spent_s) / (time.monotonic() - begun_s)
        for task in tasks:
            task.cancel()
    added = [_added_s(time_s, direct) for onsets in heard for time_s in onsets.times_s]
    if not added:
        raise InternalError("bench: no tone came through, expected one each 1.3 s")
    return {
        "radios": count,
        "added_ms": statistics.median(added) * 1000,
        "added_max_ms": max(added) * 1000,
        "cores": cores,
        "tones": len(added),
    }


async def _listen(address: str, onsets: Onsets) -> None:
    """The direct listener: a sample is there when its bytes are. `end` of a block is now."""

    def hear(pcm: Pcm) -> None:
        onsets.hear(pcm, time.monotonic())

    decoder = StreamDecoder(hear, lambda why: None)
    try:
        async with Fetcher(LOOPBACK) as fetcher:
            async for part in fetcher.sound(address, Tuned()):
                if part is not None:
                    await decoder.feed(part)
    finally:
        decoder.close()


async def _read(feeds: list[RadioFeed], heard: list[Onsets], seconds: float) -> None:
    due_s = time.monotonic()
    until_s = due_s + seconds
    while due_s < until_s:
        for feed, onsets in zip(feeds, heard, strict=True):
            onsets.hear(feed.frame(), due_s)
        due_s += FRAME_US / 1e6
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))


def _added_s(time_s: float, direct: Onsets) -> float:
    """From the tone at the direct listener; tones are 1.3 s apart, and more is not added."""
    before = [time_s - other for other in direct.times_s if 0 <= time_s - other < LONGEST_S]
    if not before:
        raise InternalError("bench: a tone was relayed before it was sent, or much later")
    return min(before)


def _cpu_s() -> float:
    """Of this process and all workers."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    return time.process_time() + sum(_cpu_of(int(child)) for child in children if _is_worker(child))


def _is_worker(child: str) -> bool:
    return b"radio_worker" in Path(f"/proc/{child}/cmdline").read_bytes()


def _cpu_of(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
