"""Multicast: what sounds at a place, as RTP to groups on a LAN, for IP speakers and phones.

Laws: nothing leaves while it is off, which it is until an operator turns it on, since no such device can
verify what it hears; a group gets a packet only while one of its classes wins at its place, so a device that
decides by group hears the right one, and an idle place sends nothing; emergencies go first; numbers have no
gap and time stamps follow the grid; a group that cannot be sent to costs only itself. Owned by the
composition root, which runs `run()`; used on the loop.
"""

import asyncio
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Protocol

from ...clock import Clock
from ...codecs.opus import silence_packet
from ...wire.rank import BroadcastClass
from ..broadcast import OnAir
from ..pacer import Pace, Pacer
from .group import Group
from .lan_socket import LanCounters, LanSocket
from .steady import Cursor, OpusSource, due_us, latest
from .transcoder import Transcoder

MAX_GROUPS = 256
"""20 us a packet: a quarter of a core if all of them sound."""

RETRY_K = 250
"""A group that could not be sent to is tried anew after 5 s: an interface comes back."""

SHOWN_K = 50
"""Sending is what has sent within a second."""


class GroupState(StrEnum):
    """Where a group is: `off` for want of the setting."""

    OFF = "off"
    IDLE = "idle"
    SENDING = "sending"
    FAULT = "fault"


class AirSource(Protocol):
    """What is on air where; `Air` in practice."""

    def playing_at(self, place_id: str, /) -> OnAir | None: ...

    def program_at(self, place_id: str, /) -> OpusSource | None: ...


class Multicast:
    """See the module."""

    def __init__(self, source: AirSource, clock: Clock, *, on: bool, pace: Pace | None = None) -> None:
        self.on = on
        self.counters = LanCounters()
        self._source = source
        self._clock = clock
        self._pace = pace if pace is not None else Pacer(clock)
        self._silence = silence_packet()
        self._lines: dict[str, LanSocket] = {}
        self._cursors: dict[str, Cursor] = {}
        self._transcoders: dict[str, Transcoder] = {}
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._lines)

    def use(self, groups: Iterable[Group]) -> None:
        """From now on these. One that is as it was goes on without a break."""
        wanted = {group.id: group for group in groups}
        for name, line in list(self._lines.items()):
            if wanted.get(name) != line.group:
                line.close()
                del self._lines[name]
        for name, group in wanted.items():
            if name not in self._lines:
                self._lines[name] = LanSocket(group, self.counters)
        self._some.set()

    def state(self, group_id: str) -> tuple[GroupState, str]:
        """And why, if it is a fault."""
        line = self._lines.get(group_id)
        if not self.on or line is None:
            return GroupState.OFF, ""
        if line.fault:
            return GroupState.FAULT, line.fault
        lately = latest(self._clock.now_us()) - line.last_k < SHOWN_K
        return (GroupState.SENDING if lately else GroupState.IDLE), ""

    async def run(self) -> None:
        """Send what is due until cancelled."""
        k = latest(self._clock.now_us()) + 1
        try:
            while True:
                if not (self.on and self._lines):
                    self._some.clear()
                    await self._some.wait()
                    k = latest(self._clock.now_us()) + 1
                    continue
                await self._pace.until(due_us(k))
                k = max(k, latest(self._clock.now_us()))
                await self.step(k)
                k += 1
        finally:
            self.use(())

    async def step(self, now_k: int) -> None:
        """Everything up to frame `now_k`, emergencies first; the loop breathes between places."""
        if now_k % RETRY_K == 0:
            for line in self._lines.values():
                line.retry()
        used: set[str] = set()
        for place, playing in self._by_urgency():
            program = self._source.program_at(place) if playing is not None else None
            cursor = self._cursors.setdefault(place, Cursor(now_k))
            frames = cursor.due(now_k, program)
            if playing is not None and program is not None:
                used.add(program.id)
                self._send(place, playing.order.cls, program.id, frames)
                await asyncio.sleep(0)
        for name in self._transcoders.keys() - used:
            self._transcoders.pop(name).close()

    def _by_urgency(self) -> list[tuple[str, OnAir | None]]:
        places = dict.fromkeys(line.group.place for line in self._lines.values())
        for place in self._cursors.keys() - places.keys():
            del self._cursors[place]
        found = [(place, self._source.playing_at(place)) for place in places]
        return sorted(found, key=lambda one: one[1] is None or one[1].order.cls is not _EMERGENCY)

    def _send(
        self, place: str, cls: BroadcastClass, program: str, frames: Sequence[tuple[int, bytes | None]]
    ) -> None:
        lines = [line for line in self._lines.values() if line.group.place == place]
        lines = [line for line in lines if cls in line.group.classes]
        if not lines:
            return
        transcoder = self._transcoders.setdefault(program, Transcoder())
        for k, packet in frames:
            for line in lines:
                data = transcoder.frame(k, packet or self._silence, line.group.codec)
                if data is not None:
                    line.send(k, data)


_EMERGENCY = BroadcastClass.EMERGENCY
