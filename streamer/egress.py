"""Egress: writes the blocks of one codec to every mount's listeners, when they are due.

Laws: block `j` is written when its last frame begins, by absolute deadline on the given clock, never before;
a live program whose last packet is not there yet is waited for until `GRACE_US`, alone, then silence takes
its place; which program a mount plays is asked at the moment of writing, so a switch takes effect with the
next block; a block of a program is built once and the same object goes to every listener. The loop is given
back every `SLICE_WRITES` writes, so that an emergency never waits behind listeners. Owned by `Mounts`.
"""

import asyncio
from collections.abc import Callable
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
"""The loop is held for at most twice as many writes, 2 ms at 7.5 us each, where 5 ms are allowed."""

_Write = tuple[Callable[[bytes], None], bytes]

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

    def name_of(self, place_id: str, /) -> str:
        """What people call the place."""
        ...


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
    def __init__(
        self,
        packing: Packing,
        source: MountSource,
        clock: Clock,
        pace: Pace,
        left: Callable[[str], None] = lambda _address: None,
    ) -> None:
        """`left` is called with the address of each listener that is gone."""
        self.packing = packing
        self.counters = EgressCounters()
        self.listeners = 0
        self._source = source
        self._clock = clock
        self._pace = pace
        self._left = left
        self._mounts: dict[str, Mount] = {}
        self._built: dict[tuple[str | None, int], bytes] = {}
        self._wanted: dict[str, PacketSource] = {}
        self._used: dict[str, PacketSource] = {}
        self._next = 0
        self._someone = asyncio.Event()

    @property
    def places(self) -> int:
        """At how many places somebody listens."""
        return len(self._mounts)

    def listeners_of(self, place: str) -> int:
        mount = self._mounts.get(place)
        return len(mount) if mount is not None else 0

    def join(
        self, place: str, inserter: IcyInserter | None, address: str = ""
    ) -> tuple[Listener, list[bytes]]:
        """A new listener of a place, and the burst to greet it with."""
        if not self.listeners:
            self._next = max(self._next, first_undue(self.packing, self._clock.now_us()))
        program = self._program_at(place)
        mount = self._mounts.get(place)
        if mount is None:
            late = self._ready(program, self._next - 1) is None
            mount = self._mounts[place] = Mount(place, self._next - late, self._lost)
        burst = [self._as_it_is(program, j) for j in mount.burst()]
        self.listeners += 1
        self.counters.joined += 1
        self._someone.set()
        return mount.listener(inserter, address), burst

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
            await self._round(j, final=now_us >= deadline_us)
            if all(mount.next > j for mount in self._mounts.values()):
                break
            await self._pace.until(min(now_us + RETRY_US, deadline_us))
        self._built = {key: block for key, block in self._built.items() if key[1] > j - BURST_BLOCKS}
        self._want_only_used()

    async def _round(self, j: int, *, final: bool) -> None:
        """Give block `j` to the mounts that lack it and whose program has it; at last to all that lack it.

        `next` moves before the writing, so that who joins meanwhile gets the block with the burst. Writing
        does not change the sets of listeners: whoever is lost by it is lost in a later turn of the loop.
        """
        batch: list[_Write] = []
        for mount in [mount for mount in self._mounts.values() if mount.next <= j]:
            program = self._program_at(mount.place)
            block = self._ready(program, j)
            if block is None:
                if not final:
                    continue
                block = self._built[_key(program, j)] = self._pack(program, j)
            if mount.next < j:  # its first listener joined before block j - 1 was whole
                block = self._as_it_is(program, j - 1) + block
            mount.next = j + 1
            self.counters.writes += len(mount)
            if mount.titled or len(mount.plain) > SLICE_WRITES:
                await self._give_in_slices(mount, block)
            else:
                batch += [(listener.write, block) for listener in mount.plain]
            if len(batch) >= SLICE_WRITES:
                _flush(batch)
                await asyncio.sleep(0)
        _flush(batch)

    async def _give_in_slices(self, mount: Mount, block: bytes) -> None:
        plain, titled = tuple(mount.plain), tuple(mount.titled)
        for at in range(0, len(plain), SLICE_WRITES):
            for listener in plain[at : at + SLICE_WRITES]:
                listener.write(block)
            await asyncio.sleep(0)
        for at in range(0, len(titled), SLICE_WRITES):
            title = self._source.title_at(mount.place)
            for listener in titled[at : at + SLICE_WRITES]:
                listener.write_titled(block, title)
            await asyncio.sleep(0)

    def _ready(self, program: PacketSource | None, j: int) -> bytes | None:
        """Block `j` of a program if it was built or can be: its last packet is there, or nothing is on."""
        key = _key(program, j)
        built = self._built.get(key)
        if built is None:
            last = (j + 1) * self.packing.frames - 1
            if program is None or self.packing.read(program, last) is not None:
                built = self._built[key] = self._pack(program, j)
        return built

    def _as_it_is(self, program: PacketSource | None, j: int) -> bytes:
        """Block `j` for one who joins, whether it is whole or not."""
        return self._ready(program, j) or self._pack(program, j)

    def _pack(self, program: PacketSource | None, j: int) -> bytes:
        """Block `j`, with silence where the program has no packet."""
        if program is None:
            return self.packing.pack([None] * self.packing.frames, j)
        packets = packets_of(self.packing, program, j)
        self.counters.silent_frames += packets.count(None)
        return self.packing.pack(packets, j)

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
        self._left(listener.address)
        if not mount:
            self._mounts.pop(mount.place, None)


def _key(program: PacketSource | None, j: int) -> tuple[str | None, int]:
    return (program.id if program is not None else None, j)


def _flush(batch: list[_Write]) -> None:
    """Deciding and writing take turns in batches: the kernel's part of a write would else empty the caches
    that deciding needs (2,000 places of one listener each: 10.7 us a write instead of 12.6)."""
    for write, block in batch:
        write(block)
    batch.clear()
