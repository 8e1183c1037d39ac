"""The archive: what aired at a place, to look up, to hear again, to take away; and how long it is kept.

Laws: what the recorder says is written down in its order, a little later, and again when the database
refuses; a recording goes when it is older than the rule allows or there is no more room for it, the oldest
first, and an emergency after everything else; a file goes before its line does, so that no file is forgotten.
A gap in the recordings is silence in what is heard again.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ..clock import Clock
from ..codecs.frame import FRAME_US
from ..codecs.ogg import OggOpusStream, granule_after
from ..codecs.opus import OPUS_PACKET_BYTES, silence_packet
from ..streamer.outputs.recording import Stretch
from .recordings import Change, Recording, Recordings, Slot

DAY_US = 86_400_000_000
EMERGENCY_DAYS_FACTOR = 10
"""Emergencies are asked for after the inquiry, not after a month."""

MAX_WAITING = 20_000
RETRY_S = 5.0
TIDY_S = 600.0
TIDY_AT_ONCE = 100

PAGE_PACKETS = 50
"""A page a second: 1.5 % of overhead."""
OGG_SERIAL = 0x4C6F6141

log = structlog.get_logger("archive")


@dataclass(frozen=True, slots=True)
class Rule:
    """How long recordings are kept, and how much room they may take."""

    days: int = 30
    room_bytes: int = 50 << 30


@dataclass(frozen=True, slots=True)
class Run:
    """`frames` packets, of which the first is number `skip` of a file; without a file, silence."""

    frames: int
    file: str | None = None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class _Begun:
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class _Finished:
    stretch: Stretch
    frames: int


_Note = _Begun | _Finished | tuple[Change, ...]


class Archive:
    """See the module. Implements the recorder's `Register`."""

    def __init__(self, folder: Path, recordings: Recordings, clock: Clock, rule: Rule) -> None:
        self.folder = folder
        self._recordings, self._clock, self._rule = recordings, clock, rule
        self._waiting: deque[_Note] = deque()
        self._some = asyncio.Event()
        self.dropped = 0
        self.removed = 0

    # --- what the recorder says

    def begun(self, stretch: Stretch) -> None:
        self._put(_Begun(stretch))

    def finished(self, stretch: Stretch, frames: int) -> None:
        self._put(_Finished(stretch, frames))

    def changed(
        self, places: Sequence[tuple[str, bool]], at_us: int, broadcast: str | None, program: str | None
    ) -> None:
        self._put(tuple(Change(place, whole, at_us, broadcast, program) for place, whole in places))

    def _put(self, note: _Note) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(note)
        self._some.set()

    # --- what writes and tidies

    async def run(self) -> None:
        """Until cancelled; then `drain` writes what is left."""
        await self._adopt()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write_on(), name="archive: write")
            tasks.create_task(self._tidy_on(), name="archive: tidy")

    async def drain(self) -> None:
        """Write everything that waits. Raises what the database raises; nothing is lost then."""
        self._some.clear()
        while self._waiting:
            await self._write(self._waiting[0])
            self._waiting.popleft()

    async def _write_on(self) -> None:
        while True:
            await self._some.wait()
            try:
                await self.drain()
            except (SQLAlchemyError, OSError) as error:
                self._some.set()
                log.warning("database does not take what aired", waiting=len(self._waiting), error=str(error))
                await asyncio.sleep(RETRY_S)

    async def _write(self, note: _Note) -> None:
        match note:
            case _Begun(s):
                await self._recordings.begin(Recording(s.program, s.first_k, s.broadcast, s.cls, s.file))
            case _Finished(s, frames):
                await self._recordings.finish(s.program, s.first_k, frames)
            case changes:
                await self._recordings.changed(changes)

    async def _adopt(self) -> None:
        """What a crash has left open is as long as its file."""
        for one in await self._recordings.unfinished():
            frames = await asyncio.to_thread(self._frames_of, one.file)
            await self._recordings.finish(one.program, one.first_k, frames)

    def _frames_of(self, file: str) -> int:
        try:
            return (self.folder / file).stat().st_size // OPUS_PACKET_BYTES
        except OSError:
            return 0

    async def _tidy_on(self) -> None:
        while True:
            try:
                await self.tidy()
            except (SQLAlchemyError, OSError) as error:
                log.warning("old recordings are not removed", error=str(error))
            await asyncio.sleep(TIDY_S)

    async def tidy(self) -> None:
        """Remove what the rule does not keep."""
        now_us, days = self._clock.now_us(), self._rule.days
        for emergencies, factor in ((False, 1), (True, EMERGENCY_DAYS_FACTOR)):
            before_us = now_us - days * factor * DAY_US
            while old := await self._recordings.oldest(
                TIDY_AT_ONCE, before_us=before_us, emergencies=emergencies
            ):
                await self._remove(old)
        excess = await self._recordings.frames() - self._rule.room_bytes // OPUS_PACKET_BYTES
        for emergencies in (False, True):
            while excess > 0 and (
                old := await self._recordings.oldest(TIDY_AT_ONCE, emergencies=emergencies)
            ):
                gone = _as_many_as(old, excess)
                await self._remove(gone)
                excess -= sum(one.frames for one in gone)
        await self._recordings.forget_changes(now_us - days * EMERGENCY_DAYS_FACTOR * DAY_US)

    async def _remove(self, recordings: Sequence[Recording]) -> None:
        await asyncio.to_thread(self._unlink, [one.file for one in recordings])
        await self._recordings.remove(recordings)
        self.removed += len(recordings)

    def _unlink(self, files: Sequence[str]) -> None:
        for file in files:
            path = self.folder / file
            path.unlink(missing_ok=True)
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()

    # --- what people ask

    async def slots(self, ancestry: Sequence[str], from_us: int, until_us: int) -> tuple[Slot, ...]:
        """What won at a place (the last of `ancestry`), in order."""
        return await self._recordings.slots(ancestry, from_us, until_us)

    async def kept(self, slots: Sequence[Slot]) -> tuple[tuple[Run, ...], ...]:
        """For each slot the runs of packets that fill it from its first to its last frame."""
        if not slots:
            return ()
        programs = list({slot.program for slot in slots})
        found = await self._recordings.of_programs(programs, slots[0].from_us, slots[-1].until_us)
        sizes = await asyncio.to_thread(lambda: {one.file: self._frames_of(one.file) for one in found})
        return tuple(tuple(_runs(slot, found, sizes)) for slot in slots)

    def ogg(self, runs: Sequence[Run]) -> Iterator[bytes]:
        """An Ogg-Opus file, a second at a time. Blocks: for a thread."""
        stream = OggOpusStream(OGG_SERIAL)
        yield stream.head()
        count, sequence = 0, 2
        for packets in self.packets(runs):
            count += len(packets)
            yield stream.page(packets, sequence, granule_after(count))
            sequence += 1

    def packets(self, runs: Sequence[Run]) -> Iterator[list[bytes]]:
        """All packets, at most `PAGE_PACKETS` at a time. Blocks: for a thread."""
        quiet = silence_packet()
        for run in runs:
            if run.file is None:
                for count in _counts(run.frames):
                    yield [quiet] * count
                continue
            with (self.folder / run.file).open("rb") as file:
                file.seek(run.skip * OPUS_PACKET_BYTES)
                for count in _counts(run.frames):
                    data = file.read(count * OPUS_PACKET_BYTES)
                    at = range(0, count * OPUS_PACKET_BYTES, OPUS_PACKET_BYTES)
                    yield [data[n : n + OPUS_PACKET_BYTES] or quiet for n in at]


def _counts(frames: int) -> Iterator[int]:
    for at in range(0, frames, PAGE_PACKETS):
        yield min(PAGE_PACKETS, frames - at)


def _runs(slot: Slot, recordings: Sequence[Recording], sizes: dict[str, int]) -> Iterator[Run]:
    """From the slot's first frame to its last, with silence for what was not recorded."""
    at, end = slot.from_us // FRAME_US, slot.until_us // FRAME_US
    for one in recordings:
        first = max(at, one.first_k)
        last = min(end, one.first_k + sizes[one.file])
        if one.program != slot.program or first >= last:
            continue
        if first > at:
            yield Run(first - at)
        yield Run(last - first, one.file, first - one.first_k)
        at = last
    if at < end:
        yield Run(end - at)


def _as_many_as(recordings: Sequence[Recording], excess: int) -> list[Recording]:
    """As few of them, from the first on, as have that many frames."""
    taken: list[Recording] = []
    for one in recordings:
        if excess <= 0:
            break
        taken.append(one)
        excess -= one.frames
    return taken
