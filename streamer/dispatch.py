"""Writes one frame to many links, without holding the loop and without waiting for any of them.

Laws: at most `CHUNK_LINKS` writes at a stretch, then everyone else on the loop has a turn; between two chunks
an urgent job overtakes the others, and jobs of one lane keep their order; audio too old to be played is not
written; each lane is bounded and drops its oldest job, counted. Blocked links are looked at again every
`SWEEP_S`, in which the slow ones are cut. One task (`run`) does it all; the state is its own.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from ..clock import Clock
from .link import Link, LinkState
from .outbox import Lane, Piece

CHUNK_LINKS = 128
"""About 1 ms of writes (`bench/links.py`); five times slower hardware still stays at 5 ms."""

CHUNK_BYTES = 1024 * 1024
"""Large frames go to fewer links at a stretch: the kernel copies about 1 GB/s."""

MOST_JOBS = 1024
"""A lane this long is more than a minute behind (5,000 links take about 50 ms); the oldest is history."""

SWEEP_S = 0.02
"""How late a link is found to flow again."""


@dataclass(slots=True)
class _Job:
    piece: Piece
    links: Sequence[Link]
    at: int = 0


class Dispatch:
    def __init__(self, clock: Clock, counts: Counter[str]) -> None:
        self._clock = clock
        self._counts = counts
        self._lanes: tuple[deque[_Job], ...] = tuple(deque() for _ in Lane)
        self._blocked: dict[Link, None] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Jobs that are waiting or under way."""
        return sum(map(len, self._lanes))

    def send(self, piece: Piece, links: Sequence[Link]) -> None:
        """Write to all of `links` soon. The sequence is kept: hand over one that nobody changes."""
        if not links:
            return
        lane = self._lanes[piece.lane]
        if len(lane) == MOST_JOBS:
            lane.popleft()
            self._counts[f"dropped_job_{piece.lane.name.lower()}"] += 1
        lane.append(_Job(piece, links))
        self._wake.set()

    def write(self, piece: Piece, link: Link) -> None:
        """Write to one link at once."""
        self._note(link, link.write(piece, self._clock.now_us()))

    async def run(self) -> None:
        """Until cancelled. The composition root runs it in its task group."""
        loop = asyncio.get_running_loop()
        swept_s = loop.time()
        while True:
            if self.turn():
                await asyncio.sleep(0)
            else:
                self._wake.clear()
                await self._rest()
            if self._blocked and loop.time() - swept_s >= SWEEP_S:
                swept_s = loop.time()
                self.sweep()

    def turn(self) -> bool:
        """Write one chunk; False if there was nothing to write."""
        now_us = self._clock.now_us()
        left = CHUNK_LINKS
        while left > 0:
            lane = next((lane for lane in self._lanes if lane), None)
            if lane is None:
                return left < CHUNK_LINKS
            left -= self._work(lane[0], left, now_us)
            if lane[0].at >= len(lane[0].links):
                lane.popleft()
        return True

    def sweep(self) -> None:
        """Give every blocked link what waits for it, if it flows again."""
        now_us = self._clock.now_us()
        for link in list(self._blocked):
            self._note(link, link.flush(now_us))

    def forget(self, link: Link) -> None:
        """It is gone; jobs under way skip it."""
        self._blocked.pop(link, None)

    async def _rest(self) -> None:
        """Sleep until there is a job, or, with blocked links, until the next sweep."""
        try:
            async with asyncio.timeout(SWEEP_S if self._blocked else None):
                await self._wake.wait()
        except TimeoutError:
            return

    def _work(self, job: _Job, left: int, now_us: int) -> int:
        """Write to the next links of a job; returns how much of `left` it took."""
        if job.piece.stale(now_us):
            self._counts["dropped_audio"] += len(job.links) - job.at
            job.at = len(job.links)
            return 1
        cost = 1 + len(job.piece.frame) * CHUNK_LINKS // CHUNK_BYTES
        part = job.links[job.at : job.at + max(1, left // cost)]
        job.at += len(part)
        for link in part:
            state = link.write(job.piece, now_us)
            if state is not LinkState.FLOWING:
                self._note(link, state)
        return cost * len(part)

    def _note(self, link: Link, state: LinkState) -> None:
        if state is LinkState.BLOCKED:
            self._blocked[link] = None
        else:
            self._blocked.pop(link, None)
