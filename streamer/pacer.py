"""Waiting for an instant of network time, by absolute deadline, so that lateness never adds up."""

import asyncio
from typing import Protocol

from ..clock import Clock


class Pace(Protocol):
    """What lets time pass; a test moves its own."""

    async def until(self, at_us: int, /) -> None:
        """Return at or after `at_us`; at least one turn of the loop passes."""
        ...


_GRAIN_S = 0.001
"""Timers of event loops are a millisecond grain; one that fired early is not asked twice."""


class Pacer:
    """Sleeps on the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def until(self, at_us: int) -> None:
        await asyncio.sleep(max(0.0, self._left_s(at_us)))
        if (left_s := self._left_s(at_us)) > 0:
            await asyncio.sleep(left_s + _GRAIN_S)

    def _left_s(self, at_us: int) -> float:
        return (at_us - self._clock.now_us()) / 1_000_000
