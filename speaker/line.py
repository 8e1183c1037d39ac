"""Frames on their way to a sound device: samples in the order of network time, taken as the device asks.

Laws: the first sample of a run is aligned to the sample; afterwards `Steering` keeps it there; what is
missing is silence. `put` comes from the event loop, `take` from the device's own thread; both hold the lock
for microseconds. Knows no device and no clock.
"""

import threading
from collections import deque

import numpy as np

from ..codecs.frame import SAMPLE_RATE, Pcm, silence
from .steering import Steering

MAX_QUEUED_US = 3_000_000
"""Policy: a frame beyond this is dropped and counted. More than the furthest the delay can be stretched."""

_NEAR_US = 1_000
"""Frames that follow each other within a millisecond are one run; the steering evens out the rest."""


class Line:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frames: deque[tuple[int, Pcm]] = deque()
        self._end_us = 0
        self._steering = Steering()
        self._running = False
        self.dropped_frames = 0
        self.error_us = 0

    @property
    def jumps(self) -> int:
        """How often the sound had to be re-centred."""
        return self._steering.jumps

    def put(self, frame: Pcm, at_us: int) -> None:
        """A frame whose first sample sounds at network time `at_us`."""
        with self._lock:
            if self._running or self._frames:
                gap_us = at_us - self._end_us
                if gap_us > MAX_QUEUED_US or (self._frames and at_us - self._frames[0][0] > MAX_QUEUED_US):
                    self.dropped_frames += 1
                    return
                if gap_us > _NEAR_US:
                    self._frames.append((self._end_us, silence(_samples(gap_us))))
                elif gap_us < -_NEAR_US:
                    frame, at_us = frame[_samples(-gap_us) :], self._end_us
            if len(frame):
                self._frames.append((at_us, frame))
                self._end_us = at_us + _micros(len(frame))

    def take(self, samples: int, at_us: int) -> Pcm:
        """What sounds from network time `at_us` on."""
        with self._lock:
            if not self._frames:
                self._running = False
            if not self._running:
                return self._begin(samples, at_us)
            self.error_us = at_us - self._frames[0][0]
            skip = self._steering.correct(self.error_us, samples)
            if abs(skip) * 2 > samples:
                self._running = False
                return self._begin(samples, at_us)
            return self._stretched(samples + skip, samples)

    def _begin(self, samples: int, at_us: int) -> Pcm:
        """Find the sample that is due, or the silence before it."""
        self._drop_before(at_us)
        wait = _samples(self._frames[0][0] - at_us) if self._frames else samples
        if wait >= samples:
            return silence(samples)
        self._running, self.error_us = True, 0
        self._steering.reset()
        return np.concatenate((silence(wait), self._pull(samples - wait)))

    def _drop_before(self, at_us: int) -> None:
        while self._frames:
            begins_us, frame = self._frames[0]
            over = _samples(at_us - begins_us)
            if over <= 0:
                return
            self._frames.popleft()
            if over < len(frame):
                self._frames.appendleft((begins_us + _micros(over), frame[over:]))
                return

    def _pull(self, samples: int) -> Pcm:
        parts: list[Pcm] = []
        while samples and self._frames:
            begins_us, frame = self._frames.popleft()
            parts.append(frame[:samples])
            if len(frame) > samples:
                self._frames.appendleft((begins_us + _micros(samples), frame[samples:]))
            samples -= len(parts[-1])
        if samples:
            self._running = False
            parts.append(silence(samples))
        return np.concatenate(parts)

    def _stretched(self, taken: int, samples: int) -> Pcm:
        """`taken` samples in the time of `samples`."""
        pcm = self._pull(taken)
        if taken == samples:
            return pcm
        return np.interp(np.linspace(0, taken - 1, samples), np.arange(taken), pcm).astype(np.int16)


def _samples(us: int) -> int:
    """Rounded towards zero."""
    return us * SAMPLE_RATE // 1_000_000 if us >= 0 else -(-us * SAMPLE_RATE // 1_000_000)


def _micros(samples: int) -> int:
    return samples * 1_000_000 // SAMPLE_RATE
