"""Egress: writes the blocks of one codec to every mount's listeners, when they are due.

Laws: block `j` is written when its last frame begins, by absolute deadline on the given clock, never before;
a live program whose last packet is not there yet is waited for until `GRACE_US`, alone, then silence takes
its place; which program a mount plays is asked at the moment of writing, so a switch takes effect with the
next block; a block of a program is built once and the same object goes to every listener. The loop is given
back every `SLICE_WRITES` writes, so that an emergency never waits behind listeners. Owned by `Mounts`.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from ..clock import Clock
from ..codecs.icy import IcyInserter
from .blocks import PacketSource, Packing, due_us, first_undue, packets_of
from .listener import Listener
from .mount import BURST_BLOCKS, Mount
from .pacer import Pace

GRACE_US = 48_000
"""A live MP3 frame may come up to two frames of PCM after its media time (24 ms grid on a 20 ms tick)."""

RETRY_US = 8_000
SLICE_WRITES = 128
"""About 1 ms at 7.5 us a write, where the loop may be held for 5 ms at most."""

MAX_LATE_US = 5_000_000
"""After a longer stop (a machine that slept) the stream goes on where it is now."""


class MountSource(Protocol):
    """What is on air where; `Air` in practice."""

    def resolve(self, path: str, /) -> str | None:
        """The id of the place that has this id, or has or ever had this path of slugs."""
        ...

    def program_at(self, place_id: str, /) -> PacketSource | None:
        """What a speaker attached to that very place would play now."""
        ...

    def title_at(self, place_id: str, /) -> str: ...


@dataclass(slots=True)
class EgressCounters:
    """Since the start; for /metrics."""

    joined: int = 0
    left: int = 0
    too_slow: int = 0
    writes: int = 0
    silent_frames: int = 0
    skipped_blocks: int = 0


class Egress:
    def __init__(self, packing: Packing, source: MountSource, clock: Clock, pace: Pace) -> None:
        self.packing = packing
        self.counters = EgressCounters()
        self.listeners = 0
        self._source = source
        self._clock = clock
        self._pace = pace
        self._mounts: dict[str, Mount] = {}
        self._built: dict[tuple[str | None, int], bytes] = {}
        self._wanted: dict[str, PacketSource] = {}
        self._used: dict[str, PacketSource] = {}
        self._next = 0
        self._slice = SLICE_WRITES
        self._someone = asyncio.Event()

    def listeners_of(self, place: str) -> int:
        mount = self._mounts.get(place)
        return len(mount) if mount is not None else 0

    def join(self, place: str, inserter: IcyInserter | None) -> tuple[Listener, list[bytes]]:
        """A new listener of a place, and the burst to greet it with."""
        if not self.listeners:
            self._next = max(self._next, first_undue(self.packing, self._clock.now_us()))
        program = self._program_at(place)
        mount = self._mounts.get(place)
        if mount is None:
            last_written = self._next - 1
            begin = self._next if self._has(program, last_written) else last_written
            mount = self._mounts[place] = Mount(place, begin, self._lost)
        burst = [self._block(program, j, keep=False) for j in mount.burst()]
        self.listeners += 1
        self.counters.joined += 1
        self._someone.set()
        return mount.listener(inserter), burst

    def close(self) -> None:
        """End every listener's connection."""
        for mount in list(self._mounts.values()):
            for listener in (*mount.plain, *mount.titled):
                listener.close()

    async def run(self) -> None:
        """Write until cancelled; rest while nobody listens."""
        while True:
            if not self.listeners:
                self._used.clear()
                self._want_only_used()
                self._someone.clear()
                await self._someone.wait()
            await self._pace.until(due_us(self.packing, self._next))
            self._skip_what_is_too_late()
            self._next += 1
            await self._write(self._next - 1)

    async def _write(self, j: int) -> None:
        """Give block `j` to every mount, as soon as its program has it, and to all when the grace is over."""
        deadline_us = due_us(self.packing, j) + GRACE_US
        while True:
            now_us = self._clock.now_us()
            for mount in [mount for mount in self._mounts.values() if mount.next <= j]:
                program = self._program_at(mount.place)
                if now_us >= deadline_us or self._has(program, j):
                    await self._give(mount, program, j)
            if all(mount.next > j for mount in self._mounts.values()):
                break
            await self._pace.until(min(now_us + RETRY_US, deadline_us))
        self._built = {key: block for key, block in self._built.items() if key[1] > j - BURST_BLOCKS}
        self._want_only_used()

    async def _give(self, mount: Mount, program: PacketSource | None, j: int) -> None:
        """Write what a mount lacks up to block `j`. Who joins meanwhile gets it with the burst."""
        lacking = [self._block(program, number, keep=True) for number in range(mount.next, j + 1)]
        mount.next = j + 1
        title = self._source.title_at(mount.place) if mount.titled else ""
        for listener in (*mount.plain, *mount.titled):
            for block in lacking:
                if listener.titled:
                    listener.write_titled(block, title)
                else:
                    listener.write(block)
            self._slice -= 1
            if not self._slice:
                self._slice = SLICE_WRITES
                await asyncio.sleep(0)
        self.counters.writes += len(mount) * len(lacking)

    def _block(self, program: PacketSource | None, j: int, *, keep: bool) -> bytes:
        """Block `j` of a program, silence where it has no packet. Kept, it is what all others get too."""
        key = (program.id if program is not None else None, j)
        built = self._built.get(key)
        if built is not None:
            return built
        if program is None:
            packets: list[bytes | None] = [None] * self.packing.frames
        else:
            packets = packets_of(self.packing, program, j)
        block = self.packing.pack(packets, j)
        if keep:
            self._built[key] = block
            self.counters.silent_frames += packets.count(None) if program is not None else 0
        return block

    def _has(self, program: PacketSource | None, j: int) -> bool:
        """Whether block `j` need not be waited for: its last packet is there, or nothing is on air."""
        if program is None or (program.id, j) in self._built:
            return True
        return self.packing.read(program, (j + 1) * self.packing.frames - 1) is not None

    def _program_at(self, place: str) -> PacketSource | None:
        program = self._source.program_at(place)
        if program is not None and program.id not in self._used:
            self._used[program.id] = program
            if program.id not in self._wanted:
                self._wanted[program.id] = program
                self.packing.want(program, True)
        return program

    def _want_only_used(self) -> None:
        """Let go of the programs that no mount has played since the last call."""
        for program_id in self._wanted.keys() - self._used.keys():
            self.packing.want(self._wanted.pop(program_id), False)
        self._used.clear()

    def _skip_what_is_too_late(self) -> None:
        now_us = self._clock.now_us()
        if now_us - due_us(self.packing, self._next) <= MAX_LATE_US:
            return
        resumed = first_undue(self.packing, now_us)
        self.counters.skipped_blocks += resumed - self._next
        self._next = resumed
        for mount in self._mounts.values():
            mount.next = resumed

    def _lost(self, mount: Mount, listener: Listener) -> None:
        self.listeners -= 1
        self.counters.left += 1
        self.counters.too_slow += listener.slow
        if not mount:
            self._mounts.pop(mount.place, None)
