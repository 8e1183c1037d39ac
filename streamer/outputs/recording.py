"""The recorder: every program's packets as they are aired, each written once.

Laws: the air never waits for it: packets are read a little after they have sounded and handed to a thread of
its own by a bounded queue; what does not fit is dropped and counted; a disk that is full or fails is told and
counted, and tried again with the next stretch. A stretch is what sounded without a break: a program that was
paused has several. A file holds packets of OPUS_PACKET_BYTES end to end. Which broadcast won where is passed
on as it changes. Owned by the composition root.
"""

import asyncio
import contextlib
import errno
import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Protocol

import structlog

from ...clock import Clock
from ...codecs.frame import FRAME_US
from ...codecs.opus import OPUS_PACKET_BYTES
from ...wire.rank import BroadcastClass
from ..broadcast import AirEvent, BroadcastEnded, BroadcastStarted, OnAir, Overridden
from ..territory import Territory

LAG_FRAMES = 20
"""0.4 s behind: whatever was late has been made by then, and a live program keeps 1.3 s."""

EVERY_S = 0.2
QUEUE_CHUNKS = 2_000
"""A disk that hangs for a minute with 30 programs on air loses nothing: 20 MB."""

CLOSE_S = 5.0

log = structlog.get_logger("recorder")


class Packets(Protocol):
    """A program, as far as it is recorded."""

    @property
    def id(self) -> str: ...
    def opus(self, k: int, /) -> bytes | None: ...


class RecordedAir(Protocol):
    """What the recorder asks of the air."""

    @property
    def territory(self) -> Territory: ...
    def program_of(self, broadcast_id: str, /) -> Packets | None: ...
    def subscribe(self, listener: Callable[[AirEvent], None], /) -> Callable[[], None]: ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """One file: frame i is the packet of grid number `first_k` + i."""

    program: str
    broadcast: str
    cls: BroadcastClass
    first_k: int

    @property
    def file(self) -> str:
        """In folders of about a day and a half (2^17 s), so that none grows large."""
        day = self.first_k * FRAME_US // 1_000_000 >> 17
        return f"{day}/{self.first_k}-{self.program}.packets"


class Register(Protocol):
    """Where it is written down what there is. Called on the loop; must not block."""

    def begun(self, stretch: Stretch, /) -> None: ...
    def finished(self, stretch: Stretch, frames: int, /) -> None: ...

    def changed(
        self, places: Sequence[tuple[str, bool]], at_us: int, broadcast: str | None, program: str | None, /
    ) -> None:
        """At these places (True: and all below) something else won."""
        ...


@dataclass(slots=True)
class RecorderCounts:
    """Since the start; for /metrics."""

    written: int = 0
    dropped: int = 0
    failed: int = 0
    stretches: int = 0


@dataclass(slots=True)
class _Tape:
    program: Packets
    broadcast: str
    cls: BroadcastClass
    next_k: int
    stretch: Stretch | None = None


@dataclass(slots=True)
class _Chunk:
    stretch: Stretch
    data: bytes
    last: bool = False


@dataclass(slots=True)
class _File:
    file: FileIO | None
    frames: int = 0


class Recorder:
    """See the module. `attach` before the air sounds, `run` until cancelled."""

    def __init__(self, air: RecordedAir, clock: Clock, register: Register, folder: Path) -> None:
        self._air, self._clock, self._register, self._folder = air, clock, register, folder
        self._tapes: dict[str, _Tape] = {}
        self._queue: queue.Queue[_Chunk | None] = queue.Queue(QUEUE_CHUNKS)
        self._files: dict[Stretch, _File] = {}
        self.counts = RecorderCounts()
        self.fault: str | None = None
        """Why nothing is being written, in words."""

    async def check(self) -> str | None:
        return self.fault

    @property
    def recording(self) -> int:
        return len(self._tapes)

    def attach(self) -> Callable[[], None]:
        """Hear the air from now on; nothing sounds anywhere yet. Returns how to stop."""
        ids = self._air.territory.ids
        at_us = self._clock.now_us()
        if ids:
            self._register.changed(tops(self._air.territory, 0, len(ids)), at_us, None, None)
        return self._air.subscribe(self.on_air_event)

    def on_air_event(self, event: AirEvent) -> None:
        match event:
            case BroadcastStarted(on_air) if on_air.started_us:
                self._begin(on_air)
            case BroadcastEnded(on_air):
                self._end(on_air)
            case Overridden():
                after = self._tapes.get(event.after) if event.after else None
                program = after.program.id if after else self._program_of(event.after)
                territory = self._air.territory
                places = [top for a, b in event.slices for top in tops(territory, a, b)]
                self._register.changed(places, event.at_us, event.after, program)

    async def run(self) -> None:
        """Until cancelled; what has sounded until then is written."""
        loop = asyncio.get_running_loop()
        writer = threading.Thread(target=self._write, args=(loop,), name="recorder", daemon=True)
        writer.start()
        try:
            while True:
                await asyncio.sleep(EVERY_S)
                end_k = self._clock.now_us() // FRAME_US - LAG_FRAMES
                for tape in list(self._tapes.values()):
                    self._read(tape, end_k)
                    await asyncio.sleep(0)
        finally:
            for name in list(self._tapes):
                self._close(self._tapes.pop(name), self._clock.now_us() // FRAME_US)
            await self._finish(writer)

    async def _finish(self, writer: threading.Thread) -> None:
        try:
            await asyncio.to_thread(self._queue.put, None, timeout=CLOSE_S)
        except queue.Full:
            log.error("recordings are not written to their end: the disk does not answer")
            return
        await asyncio.to_thread(writer.join, CLOSE_S)
        await asyncio.sleep(0)

    def _program_of(self, broadcast: str | None) -> str | None:
        found = self._air.program_of(broadcast) if broadcast else None
        return found.id if found else None

    def _begin(self, on_air: OnAir) -> None:
        program = self._air.program_of(on_air.order.id)
        if program is not None and on_air.order.id not in self._tapes:
            first_k = self._clock.now_us() // FRAME_US
            self._tapes[on_air.order.id] = _Tape(program, on_air.order.id, on_air.order.cls, first_k)

    def _end(self, on_air: OnAir) -> None:
        tape = self._tapes.pop(on_air.order.id, None)
        if tape is not None:
            self._close(tape, (on_air.ended_us or self._clock.now_us()) // FRAME_US)

    def _close(self, tape: _Tape, end_k: int) -> None:
        self._read(tape, end_k)
        self._break(tape)

    def _read(self, tape: _Tape, end_k: int) -> None:
        """Hand over what has sounded before `end_k`."""
        packets: list[bytes] = []
        for k in range(tape.next_k, end_k):
            packet = tape.program.opus(k)
            if packet is None or len(packet) != OPUS_PACKET_BYTES:
                self._give(tape, packets)
                packets = []
                self._break(tape)
            else:
                if tape.stretch is None:
                    tape.stretch = Stretch(tape.program.id, tape.broadcast, tape.cls, k)
                packets.append(packet)
        tape.next_k = max(tape.next_k, end_k)
        self._give(tape, packets)

    def _give(self, tape: _Tape, packets: list[bytes]) -> None:
        if tape.stretch is None or not packets:
            return
        try:
            self._queue.put_nowait(_Chunk(tape.stretch, b"".join(packets)))
        except queue.Full:
            self.counts.dropped += len(packets)
            self._break(tape)

    def _break(self, tape: _Tape) -> None:
        """The stretch is over; the next packet begins another."""
        if tape.stretch is None:
            return
        with contextlib.suppress(queue.Full):  # then its file is finished when the writer ends
            self._queue.put_nowait(_Chunk(tape.stretch, b"", last=True))
        tape.stretch = None

    # --- the thread

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until None comes."""

        def tell(call: Callable[..., None], *arguments: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(call, *arguments)

        while (chunk := self._queue.get()) is not None:
            if chunk.stretch not in self._files:
                self._open(chunk.stretch, tell)
            self._append(chunk)
            if chunk.last:
                self._shut(chunk.stretch, tell)
        for stretch in list(self._files):
            self._shut(stretch, tell)

    def _open(self, stretch: Stretch, tell: Callable[..., None]) -> None:
        path = self._folder / stretch.file
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._files[stretch] = _File(path.open("wb", buffering=0))
        except OSError as error:
            self._files[stretch] = _File(None)
            self._failed(error)
            return
        self.counts.stretches += 1
        tell(self._register.begun, stretch)

    def _append(self, chunk: _Chunk) -> None:
        """A file that could not be written to its end stays as long as it is."""
        found = self._files[chunk.stretch]
        frames = len(chunk.data) // OPUS_PACKET_BYTES
        if found.file is None:
            self.counts.failed += frames
            return
        try:
            if found.file.write(chunk.data) != len(chunk.data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.counts.failed += frames
            self._failed(error)
            self._truncate(found)
            return
        found.frames += frames
        self.counts.written += frames
        if frames:
            self.fault = None

    def _truncate(self, found: _File) -> None:
        """Whole packets only, and no more of this stretch."""
        if found.file is not None:
            with contextlib.suppress(OSError):  # where there is no file to cut: a device
                found.file.truncate(found.frames * OPUS_PACKET_BYTES)
            found.file.close()
        found.file = None

    def _shut(self, stretch: Stretch, tell: Callable[..., None]) -> None:
        found = self._files.pop(stretch)
        if found.file is not None:
            found.file.close()
        tell(self._register.finished, stretch, found.frames)

    def _failed(self, error: OSError) -> None:
        if self.fault is None:
            log.error("the air is not being recorded", error=str(error), folder=str(self._folder))
        self.fault = f"the air is not being recorded: {error.strerror or error}"


def tops(territory: Territory, a: int, b: int) -> list[tuple[str, bool]]:
    """The fewest places that are the slice `[a, b)`: True stands for a place and all below it."""
    found, at = [], a
    while at < b:
        name = territory.ids[at]
        _, end = territory.slice(name)
        whole = end <= b
        found.append((name, whole))
        at = end if whole else at + 1
    return found
