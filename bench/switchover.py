"""switchover: how long a listener hears nothing when the address on air fails, with a standby that works.

Two real Icecasts send a tone; radios relay both, the first wanted. `p99_s`: from killing the first to the
next sound; `dead_air_p99_s`: from the moment when the first goes on sending, but silence only. All radios at
once, each time anew, gaps as the broadcast hears them.
"""

import asyncio
import signal
import tempfile
import time
from asyncio.subprocess import Process
from pathlib import Path

import numpy as np

from ..clock import NodeClock
from ..codecs.frame import FRAME_US
from ..errors import InternalError
from ..streamer.broadcast import RadioSource
from ..streamer.sources.radios import RadioFeed, Radios
from .icecast import Icecast, icecast, tone
from .radio import LOOPBACK
from .result import Metrics

FIRST_SOUND_S = 30.0
STEADY_S = 3.0
LONGEST_S = 25.0
SILENT_AFTER_S = 12
GATE = f"volume=if(lt(t\\,{SILENT_AFTER_S})\\,2\\,0):eval=frame"


def run(radios: int, rounds: int) -> Metrics:
    return asyncio.run(_run(radios, rounds))


async def _run(count: int, rounds: int) -> Metrics:
    broken: list[float] = []
    dead: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with icecast(Path(folder) / "standby") as standby:
            await standby.source("live", *tone(880))
            await standby.heard("live")
            for n in range(rounds):
                async with icecast(Path(folder) / f"first{n}") as first:
                    broken += await _broken(first, standby, count)
                async with icecast(Path(folder) / f"second{n}") as first:
                    dead += await _dead(first, standby, count)
    return {
        "radios": count,
        "rounds": rounds,
        "p50_s": float(np.quantile(broken, 0.5)),
        "p99_s": float(np.quantile(broken, 0.99)),
        "dead_air_p50_s": float(np.quantile(dead, 0.5)),
        "dead_air_p99_s": float(np.quantile(dead, 0.99)),
    }


async def _broken(first: Icecast, standby: Icecast, count: int) -> list[float]:
    await first.source("live", *tone(440))
    await first.heard("live")
    async with _Listening(first, standby, count) as listening:
        await listening.until_all_sound()
        await listening.watch(STEADY_S)
        begun_s = time.monotonic()
        await first.kill()
        return await listening.gaps(begun_s)


async def _dead(first: Icecast, standby: Icecast, count: int) -> list[float]:
    """The source falls silent by itself, 12 s after its first sample; its bytes go on."""
    words = [GATE if word.startswith("volume") else word for word in tone(440)]
    source: Process = await first.source("live", *words)
    await first.heard("live")
    async with _Listening(first, standby, count) as listening:
        await listening.until_all_sound()
        gaps = await listening.gaps(None)
        source.send_signal(signal.SIGTERM)
        return gaps


class _Listening:
    """All radios, read by the clock. Notes when each was last and next heard."""

    def __init__(self, first: Icecast, standby: Icecast, count: int) -> None:
        self._addresses = (f"{first.base}/live", f"{standby.base}/live")
        self._relays = Radios(NodeClock(), LOOPBACK)
        self._count = count
        self._feeds: list[RadioFeed] = []
        self._last_s: list[float] = []
        self._gaps: list[tuple[float, float]] = []
        self._due_s = 0.0

    async def __aenter__(self) -> "_Listening":
        self._task = asyncio.create_task(self._relays.run(), name="relays")
        await asyncio.sleep(0)
        sources = [RadioSource(f"{n:016x}", self._addresses, "bench") for n in range(self._count)]
        self._feeds = [self._relays.feed(source) for source in sources]
        self._last_s = [0.0] * self._count
        self._gaps = [(0.0, 0.0)] * self._count
        self._due_s = time.monotonic()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def until_all_sound(self) -> None:
        until_s = time.monotonic() + FIRST_SOUND_S
        while not all(self._last_s):
            if time.monotonic() > until_s:
                raise InternalError("bench: a radio never sounded, expected all of them")
            await self._frame()

    async def watch(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            await self._frame()

    async def gaps(self, since_s: float | None) -> list[float]:
        """How long each was silent; of a gap that begins after `since_s`, or the first that is one."""
        self._gaps = [(0.0, 0.0)] * self._count
        until_s = time.monotonic() + LONGEST_S + (SILENT_AFTER_S if since_s is None else 0)
        while not all(end for _, end in self._gaps):
            if time.monotonic() > until_s:
                raise InternalError("bench: a radio did not come back, expected its standby")
            await self._frame()
        return [end - (since_s or begin) for begin, end in self._gaps]

    async def _frame(self) -> None:
        for n, feed in enumerate(self._feeds):
            if np.abs(feed.frame()).max() >= 100:
                before_s, self._last_s[n] = self._last_s[n], self._due_s
                if before_s and self._due_s - before_s > 0.1 and not self._gaps[n][1]:
                    self._gaps[n] = before_s, self._due_s
        self._due_s += FRAME_US / 1e6
        await asyncio.sleep(max(0.0, self._due_s - time.monotonic()))
