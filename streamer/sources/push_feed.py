"""A pushed stream as one broadcast hears it, and how fast a source may come.

Laws: `frame` never waits; what an encoder sends in bursts (an Ogg page of a second) goes out evenly; from one
source to the next the sound is faded, never cut. Pure: time is the calls of `frame`, or comes in.
"""

from collections.abc import Callable

import numpy as np

from ...codecs.frame import FRAME_SAMPLES, SAMPLE_RATE, Pcm, silence
from ...codecs.meter import SILENT, Level, LevelMeter
from ..jitter import JitterBounds, JitterCounters, JitterFifo

_MS = SAMPLE_RATE // 1000

BURSTS = JitterBounds(
    start=60 * _MS,
    most=1_500 * _MS,
    capacity=4_000 * _MS,
    step=100 * _MS,
    window_frames=75,
    slack=40 * _MS,
    low=5 * _MS,
)
"""Encoders that make Ogg pages of a second send a second at once: the reserve is the least held in 1.5 s."""

FADE_OUT = np.linspace(1, 0, FRAME_SAMPLES, dtype=np.float32)

BURST_US = 30_000_000
"""What a source may be ahead of its time: an encoder that could not send for half a minute gives up."""
FASTER = 1.002
"""Beyond that it is slowed to this: more than any clock is wrong, less than anybody hears."""


class PushFeed:
    """See the module. Its level is of what goes out."""

    def __init__(self, let_go: Callable[["PushFeed"], None], title: str = "") -> None:
        self.last_heard_us: int | None = None
        self.level: Level = SILENT
        self.closed = False
        self.title = title
        self._let_go = let_go
        self._fifo, self._meter = JitterFifo(BURSTS), LevelMeter()
        self._held: Pcm | None = None

    @property
    def counters(self) -> JitterCounters:
        return self._fifo.counters

    @property
    def delay_samples(self) -> int:
        return self._fifo.held_samples

    def push(self, pcm: Pcm, now_us: int) -> None:
        """960 samples that have come. The last of them is kept back, so that it can be faded."""
        if self.closed:
            return
        if self._held is not None:
            self._fifo.push(self._held)
        self._held = pcm
        self.last_heard_us = now_us

    def part(self) -> None:
        """The source is gone, or another one follows."""
        if self._held is not None:
            self._fifo.push((self._held * FADE_OUT).astype(np.int16))
            self._held = None

    def frame(self) -> Pcm:
        if self.closed:
            return silence(FRAME_SAMPLES)
        heard = self._fifo.frame()
        self.level = self._meter.measure(heard)
        return heard

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self._let_go(self)


class Allowance:
    """How long a source must wait that is ahead of its time."""

    def __init__(self, now_us: int) -> None:
        self._paid_until_us = float(now_us)

    def take(self, samples: int, now_us: int) -> float:
        """Seconds to wait after so many samples."""
        self._paid_until_us = max(self._paid_until_us, now_us) + samples * 1e6 / SAMPLE_RATE / FASTER
        return max(0.0, (self._paid_until_us - now_us - BURST_US) / 1e6)
