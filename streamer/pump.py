"""The pump: drives the air by the grid of network time, one tick each 20 ms, by absolute deadline.

Laws: no tick is skipped while the delay is within `CATCH_UP_K`; after a longer stall (a suspended machine) it
goes on at the present, since nobody could play what is older. Between groups of parcels the loop breathes.
"""

import asyncio
from dataclasses import dataclass

import structlog

from ..clock import Clock
from ..codecs.frame import FRAME_US
from .air import Air, Egress

CATCH_UP_K = 25
"""Half a second: beyond it every speaker's buffer has run dry anyway."""

STALLED_S = 0.25
"""Twelve ticks."""

log = structlog.get_logger("pump")


@dataclass(slots=True)
class PumpCounts:
    """`late_us` is the worst delay of a tick since the counter was last read and cleared."""

    ticks: int = 0
    skipped: int = 0
    failed: int = 0
    late_us: int = 0


class Pump:
    def __init__(self, air: Air, egress: Egress, clock: Clock) -> None:
        self.counts = PumpCounts()
        self._air = air
        self._egress = egress
        self._clock = clock

    async def check(self) -> str | None:
        """What is wrong, if anything: no tick for a second."""
        before = self.counts.ticks
        await asyncio.sleep(STALLED_S)
        return None if self.counts.ticks > before else "the pump stands still: nothing can sound"

    async def run(self) -> None:
        """Tick until cancelled."""
        k = self._clock.now_us() // FRAME_US + 1
        while True:
            wait_us = k * FRAME_US - self._clock.now_us()
            await asyncio.sleep(max(0, wait_us) / 1e6)
            now_us = self._clock.now_us()
            if now_us < k * FRAME_US:
                continue
            self.counts.late_us = max(self.counts.late_us, now_us - k * FRAME_US)
            behind = now_us // FRAME_US - k
            if behind > CATCH_UP_K:
                self.counts.skipped += behind
                k += behind
            await self._tick(k)
            k += 1

    async def _tick(self, k: int) -> None:
        self.counts.ticks += 1
        try:
            for volley in self._air.tick(k):
                self._egress.send(volley.parcels, urgent=volley.urgent)
                await asyncio.sleep(0)
        except Exception:  # the supervisor of the air: a fault in one tick must not silence the next
            self.counts.failed += 1
            log.exception("a tick of the air failed", k=k)
