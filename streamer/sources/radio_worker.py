"""The process that relays one radio: hostile bytes, codec work, the wait for a network, apart from the air.

`python -P -m loa.streamer.sources.radio_worker` reads its job from standard input and writes messages of
`radio_pipe.py` to standard output. Laws: once it has sounded it writes 20 ms each 20 ms of the monotonic
clock, sound or none, so that the node's clock is the only one; it ends when its parent does; it is niced, and
the first to go when memory ends; a reader that is behind loses frames, it never holds them.
"""

import asyncio
import contextlib
import os
import random
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np

from ...codecs.frame import FRAME_SAMPLES, FRAME_US, Pcm
from ...codecs.leveller import BROADCAST, LiveLeveller
from ...codecs.meter import LevelMeter
from .radio_fetch import Fetcher
from .radio_link import Link
from .radio_pipe import (
    MAX_JOB_BYTES,
    AddressState,
    Job,
    RadioState,
    build_quiet,
    build_sound,
    build_state,
    parse_job,
)
from .radio_switch import Switch

NICENESS = 5
STEP_FRAMES = 5
"""Looks after its links ten times a second: a broken one is seen 0.1 s later at most."""
STATE_FRAMES = 25
FADE_FRAMES = 2
"""40 ms, equal power, from one address to the other."""
LATE_S = 0.5
"""So late, the process stood still: the grid begins anew."""
TRY_S = 12.0
MAX_BEHIND_BYTES = 64 * 1024


def now_us() -> int:
    return time.monotonic_ns() // 1000


@dataclass
class _Fade:
    link: Link
    left: int = FADE_FRAMES

    def mix(self, into: Pcm) -> Pcm:
        """The next frame of the change."""
        begin = (FADE_FRAMES - self.left) / FADE_FRAMES
        self.left -= 1
        at = (begin + np.arange(FRAME_SAMPLES) / (FRAME_SAMPLES * FADE_FRAMES)) * np.pi / 2
        mixed = self.link.frame() * np.cos(at) + into * np.sin(at)
        return np.asarray(np.clip(np.rint(mixed), -32768, 32767), np.int16)


class Worker:
    """One radio. `run` until cancelled."""

    def __init__(self, job: Job, fetcher: Fetcher, out: asyncio.WriteTransport) -> None:
        self._job, self._fetcher, self._out = job, fetcher, out
        self._switch = Switch(len(job.addresses), random.random)
        self._links: dict[int, Link] = {}
        self._air: Link | None = None
        self._fade: _Fade | None = None
        self._leveller, self._meter = LiveLeveller(BROADCAST), LevelMeter()
        self._sounded = False
        self._told: RadioState | None = None
        self.dropped = 0

    async def run(self) -> None:
        due_s, n = time.monotonic(), 0
        while True:
            if n % STEP_FRAMES == 0:
                await self._step()
            self._tick()
            if n % STATE_FRAMES == 0:
                self._tell()
            n += 1
            due_s += FRAME_US / 1e6
            wait_s = due_s - time.monotonic()
            if wait_s < -LATE_S:
                due_s = time.monotonic()
            await asyncio.sleep(max(0.0, wait_s))

    async def _step(self) -> None:
        step = self._switch.step(now_us(), {index: link.heard for index, link in self._links.items()})
        if self._fade is not None and not self._fade.left:
            await self._end_fade()
        for index in step.open:
            self._links[index] = Link(self._fetcher, self._job.addresses[index], now_us)
        air = None if step.air is None else self._links[step.air]
        if air is not self._air:
            await self._end_fade()
            if self._air is not None and air is not None and not self._air.heard.dry_us:
                self._fade = _Fade(self._air)
            self._air = air
        for index in step.close:
            link = self._links.pop(index)
            if self._fade is None or link is not self._fade.link:
                await link.close()

    async def _end_fade(self) -> None:
        if self._fade is not None:
            fade, self._fade = self._fade, None
            await fade.link.close()

    def _tick(self) -> None:
        """20 ms of every link; that of the one on air goes out."""
        sound: Pcm | None = None
        for link in self._links.values():
            frame = link.frame()
            if link is self._air:
                sound = frame
        if self._fade is not None and sound is not None and self._fade.left:
            sound = self._fade.mix(sound)
        air = self._air
        if sound is not None and air is not None and not air.heard.dry_us:
            self._sounded = True
            self._write(build_sound(self._leveller.process(sound), self._meter.measure(sound)))
        elif self._sounded:
            self._write(build_quiet())

    def _write(self, message: bytes) -> None:
        if self._out.get_write_buffer_size() > MAX_BEHIND_BYTES:
            self.dropped += 1
        else:
            self._out.write(message)

    def _tell(self) -> None:
        state = self.state()
        if state != self._told:
            self._told = state
            self._out.write(build_state(state))

    def state(self) -> RadioState:
        air = self._air
        standings = self._switch.standings
        return replace(
            _of(air) if air is not None else RadioState(),
            addresses=tuple(AddressState(one.state, one.error[:300], one.failures) for one in standings),
            air=self._switch.air,
            switches=self._switch.switches,
            sounding=air is not None,
        )


def _of(link: Link) -> RadioState:
    """What is known of a link, but for what changes with every frame."""
    return RadioState(
        name=link.tuned.name,
        title=link.tuned.title,
        codec=link.codec,
        kind=link.tuned.content_type,
        faults=link.faults,
        format_changes=link.format_changes,
        delay_ms=link.held_samples // 4800 * 100,
    )


async def find_out(job: Job, fetcher: Fetcher) -> RadioState:
    """What the first address is: its first sound, or why there is none."""
    link = Link(fetcher, job.addresses[0], now_us)
    until_s = time.monotonic() + TRY_S
    heard = link.heard
    while heard.first_us is None and heard.lost is None and time.monotonic() < until_s:
        await asyncio.sleep(FRAME_US / 1e6)
        link.frame()
        heard = link.heard
    error = "" if heard.first_us is not None else heard.lost or f"no sound came within {TRY_S:.0f} s"
    sounding = heard.first_us is not None
    found = replace(_of(link), addresses=(AddressState("idle", error[:300], 0),), sounding=sounding)
    await link.close()
    return found


async def _main(job: Job, out_fd: int) -> None:
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(out_fd, "wb", buffering=0)
    async with Fetcher(job.private) as fetcher:
        if job.once:
            pipe.write(build_state(await find_out(job, fetcher)))
            return
        out, _ = await loop.connect_write_pipe(asyncio.Protocol, pipe)
        await Worker(job, fetcher, out).run()


def _give_way() -> None:
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # Linux only
        Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


def _line() -> bytes:
    """Byte by byte: whatever follows is for the thread that waits for the end."""
    line = b""
    while not line.endswith(b"\n") and len(line) < MAX_JOB_BYTES and (more := os.read(0, 1)):
        line += more
    return line


def main() -> int:
    out_fd = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints goes where errors go
    _give_way()
    av.logging.set_level(None)
    job = parse_job(_line())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    asyncio.run(_main(job, out_fd))
    os._exit(0)  # a decoder's thread may wait for bytes that never come


if __name__ == "__main__":
    sys.exit(main())
