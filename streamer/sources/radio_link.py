"""One open address of a radio: fetched, decoded, held in reserve, measured.

Laws: `frame` never waits; whatever goes wrong ends in `lost`, in words; nothing is fetched faster than it
sounds, but for what a server sends ahead at the start. Owned by the worker; one task each.
"""

import asyncio
import math
from collections.abc import Callable

import numpy as np

from ...codecs.frame import FRAME_SAMPLES, FRAME_US, FULL_SCALE, SAMPLE_RATE, Pcm, silence
from ...errors import LoaError
from ..jitter import JitterBounds, JitterFifo
from .radio_decode import StreamDecoder
from .radio_fetch import Fetcher, Tuned
from .radio_switch import LOUD_US, Heard

_MS = SAMPLE_RATE // 1000

_LEAST_MS, _FIRST_MS, _MARGIN_MS, _MOST_MS = 160, 260, 80, 3000
"""The reserve: at least, at first, and beyond the longest wait that was seen. Icecast passes MP3 of 64 kb/s
on in pieces of 175 ms; the rest of the 500 ms that a radio may add is for decoding and the way to the air."""

_FIRST_OGG_MS = 1600
"""FFmpeg, and what is built on it, sends Ogg in pages of a second, and Vorbis a little later than that."""

_WATCH_US = 8_000_000
"""How long a wait is remembered, at least."""

_BURST_US = 200_000
"""What a server sends ahead comes within so long, and only its end is kept."""


def stream(first_ms: int) -> JitterBounds:
    """The reserve of a stream."""
    return JitterBounds(
        start=_LEAST_MS * _MS,
        most=3 * first_ms * _MS,
        capacity=4 * first_ms * _MS,
        step=60 * _MS,
        window_frames=first_ms // 10,
        slack=20 * _MS,
        low=40 * _MS,
        every=10,
    )


DEAD_DBFS = -60.0
"""Quiet music is above it, the noise of an open line below."""

AHEAD_S = 10.0
"""What a server may send ahead of time: Icecast's burst is 4 s at 128 kb/s, 8 s at 64."""


def segments(target_s: float) -> JitterBounds:
    """The reserve of an HLS stream whose segments last so long: they come whole."""
    frames = max(50, int(3 * target_s * 50))
    whole = int(target_s * SAMPLE_RATE)
    return JitterBounds(
        start=whole + SAMPLE_RATE,
        most=3 * whole,
        capacity=6 * whole + 4 * SAMPLE_RATE,
        step=whole // 4,
        window_frames=frames,
        slack=whole // 2,
        low=100 * _MS,
        every=10,
    )


class AirMeter:
    """For how long nothing but dead air has come: too quiet, or a constant. Frame by frame."""

    def __init__(self) -> None:
        self.quiet_us = LOUD_US
        """Not loud before it was: silence does not take over from silence."""

    def hear(self, frame: Pcm) -> None:
        alive = 20 * math.log10(float(np.std(frame)) / FULL_SCALE + 1e-9) > DEAD_DBFS
        self.quiet_us = 0 if alive else self.quiet_us + FRAME_US


class _Waits:
    """The longest time between two arrivals of late."""

    def __init__(self) -> None:
        self._last_us: int | None = None
        self._since_us = 0
        self._now = self._before = 0
        self._full = False

    def note(self, now_us: int) -> int | None:
        """Something has come; the longest wait, once it has been watched for long enough."""
        if self._last_us is None:
            self._since_us = now_us
        else:
            self._now = max(self._now, now_us - self._last_us)
        self._last_us = now_us
        if now_us - self._since_us >= _WATCH_US:
            self._before, self._now, self._since_us, self._full = self._now, 0, now_us, True
        return max(self._now, self._before) if self._full else None


class Link:
    """See the module. `changed` is called when `tuned` has something new."""

    def __init__(self, fetcher: Fetcher, address: str, now_us: Callable[[], int]) -> None:
        self.address = address
        self.tuned = Tuned(changed=self._tune)
        self.codec = ""
        self.faults = self.format_changes = 0
        self._fetcher, self._now_us = fetcher, now_us
        self._fifo = JitterFifo(stream(_FIRST_MS))
        self._expect(_FIRST_MS - _MARGIN_MS)
        self._waits = _Waits()
        self._begun_us: int | None = None
        self._meter = AirMeter()
        self._decoder: StreamDecoder | None = None
        self._decoded = 0
        self._first_us: int | None = None
        self._dry_frames = 0
        self._lost: str | None = None
        self._task = asyncio.create_task(self._run(), name=f"link {address}")

    @property
    def heard(self) -> Heard:
        return Heard(self._first_us, self._dry_frames * FRAME_US, self._meter.quiet_us, self._lost)

    @property
    def held_samples(self) -> int:
        return self._fifo.held_samples

    def frame(self) -> Pcm:
        """The next 960 samples; silence when dry."""
        if self._begun_us is None or self._now_us() - self._begun_us < _BURST_US:
            return silence(FRAME_SAMPLES)
        frame = self._fifo.frame()
        if self._fifo.flowing:
            if self._first_us is None:
                self._first_us = self._now_us()
            self._dry_frames = 0
            self._meter.hear(frame)
        elif self._first_us is not None:
            self._dry_frames += 1
        return frame

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._decoder is not None:
            self._decoder.close()

    async def _run(self) -> None:
        try:
            async for part in self._fetcher.sound(self.address, self.tuned):
                if part is None:
                    await self._finish()
                    continue
                await self._pace()
                if self._decoder is None:
                    self._decoder = StreamDecoder(self._hear, self._ended)
                await self._decoder.feed(part)
            self._ended("the stream has ended")
        except LoaError as error:
            self._ended(str(error))
        except TimeoutError:
            self._ended("it does not answer in time")

    async def _finish(self) -> None:
        """A stream of its own follows: decode what is left of this one."""
        if self._decoder is not None:
            decoder, self._decoder = self._decoder, None
            self._note(decoder)
            await decoder.finish()

    async def _pace(self) -> None:
        """Wait while more has come than could have sounded."""
        ahead_s = AHEAD_S + 2 * self.tuned.target_s
        while self._first_us is not None:
            passed_s = (self._now_us() - self._first_us) / 1e6
            if self._decoded / SAMPLE_RATE - passed_s < ahead_s:
                return
            await asyncio.sleep(0.1)

    def _tune(self) -> None:
        if self._begun_us is not None:
            return
        if self.tuned.target_s:
            self._fifo = JitterFifo(segments(self.tuned.target_s))
            self._fifo.swing_samples = int(self.tuned.target_s * SAMPLE_RATE)
        elif "ogg" in self.tuned.content_type.lower():
            self._fifo = JitterFifo(stream(_FIRST_OGG_MS))
            self._expect(_FIRST_OGG_MS - _MARGIN_MS)

    def _hear(self, pcm: Pcm) -> None:
        self._decoded += len(pcm)
        now_us = self._now_us()
        self._begun_us = now_us if self._begun_us is None else self._begun_us
        longest_us = self._waits.note(now_us)
        if longest_us is not None and not self.tuned.target_s:
            self._expect(longest_us // 1000)
        if self._decoder is not None:
            self._note(self._decoder)
        self._fifo.push(pcm)

    def _expect(self, wait_ms: int) -> None:
        """Be ready for a wait of so long."""
        wait_ms = min(max(wait_ms, _LEAST_MS - _MARGIN_MS), _MOST_MS)
        self._fifo.swing_samples = wait_ms * _MS
        self._fifo.target_samples = (wait_ms + _MARGIN_MS) * _MS

    def _note(self, decoder: StreamDecoder) -> None:
        self.codec, self.faults, self.format_changes = decoder.codec, decoder.faults, decoder.format_changes

    def _ended(self, why: str) -> None:
        """What has come still sounds: it is lost when the reserve is."""
        if self._lost is None and not (why == "" and self._decoder is None):
            self._lost = why or "the stream has ended"
